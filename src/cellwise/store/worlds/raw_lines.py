"""Lines of a table as they lie in its file, of which its values no longer tell.

A row that was cut off and a row without a value read alike, and a file whose copying was broken off
may hold whole values only.
"""

from collections.abc import Iterable
from pathlib import Path

# gzip, zstd and zlib: tables may be compressed, and then these lines are not those of the table.
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")


def is_ended(path: Path) -> bool:
    """Whether the last line ends as lines do, which every program that writes tables sees to."""
    with path.open("rb") as handle:
        if handle.read(4).startswith(_PACKED):
            return True
        size = handle.seek(0, 2)
        handle.seek(max(size - 1, 0))
        return handle.read(1) in (b"", b"\n", b"\r")


def short_lines(path: Path, lines: Iterable[int]) -> frozenset[int]:
    """Those of some lines that have fewer columns than the header.

    Args:
        path: A table with commas.
        lines: Their numbers, the header being 1; of few of them, as the file is read for it.
    """
    asked = frozenset(lines)
    if not asked:
        return asked
    found = set()
    with path.open("rb") as handle:
        header = handle.readline()
        if header.startswith(_PACKED):
            return frozenset()
        for number, line in enumerate(handle, start=2):
            if number in asked and line.count(b",") < header.count(b","):
                found.add(number)
    return frozenset(found)
