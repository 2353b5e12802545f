"""A folder as a zip file that is written while it is sent: it needs no room of its own."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

_PIECE = 1 << 20
_TEXTS = (".csv", ".json", ".geojson", ".txt")


class _Pieces(io.RawIOBase):
    """What was written and not yet sent."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._held += content
        return len(content)

    def take(self) -> bytes:
        found = bytes(self._held)
        self._held.clear()
        return found


def zipped(folder: Path) -> Iterator[bytes]:
    """The zip file of a folder, piece by piece; its name is that of the folder in it.

    Texts are packed; images and arrays are packed already. Links are left out.
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", allowZip64=True) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            packs = path.suffix.lower() in _TEXTS
            entry.compress_type = zipfile.ZIP_DEFLATED if packs else zipfile.ZIP_STORED
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while content := source.read(_PIECE):
                    target.write(content)
                    yield pieces.take()
            yield pieces.take()
    yield pieces.take()
