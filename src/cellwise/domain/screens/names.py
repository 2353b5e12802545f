"""Names of experiments, plates and wells: `HUVEC-01` and `HUVEC-1` are one."""

import re
from collections.abc import Collection, Sequence

_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def unpadded(name: str) -> str:
    """A name in small letters, without zeros in front of its numbers."""
    return _ZEROS.sub("", name.lower())


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
