"""Names of experiments, plates and wells: `HUVEC-01` and `HUVEC-1` are one."""

import re
from collections.abc import Collection, Sequence

_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def unpadded(name: str) -> str:
    """A name in small letters, without zeros in front of its numbers."""
    return _ZEROS.sub("", name.lower())


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key to sort names by, numbers in them by value: `RPE-2` before `RPE-10`."""
    parts = re.findall(r"\d+|\D+", name.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def present(wanted: Sequence[str], known: Collection[str]) -> list[str]:
    """Those of the known names that are wanted, sorted: as written, else with other zeros."""
    loose: dict[str, list[str]] = {}
    for name in sorted(known):
        loose.setdefault(unpadded(name), []).append(name)
    found: set[str] = set()
    for name in wanted:
        alike = loose.get(unpadded(name), [])
        found.update([name] if name in alike else alike if len(alike) == 1 else [])
    return sorted(found)
