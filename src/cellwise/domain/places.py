"""Which part of a file is meant: a path, then `#s=` (series), `#t=` (time) and `#z=` (plane)."""

import re
from dataclasses import dataclass

_MARKS = re.compile(
    r"(?P<file>.+?)(?:#s=(?P<series>\d+))?(?:#t=(?P<time>\d+))?(?:#z=(?P<z>\d+))?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a file; all numbers count from 0.

    Args:
        file: The file, without marks.
        series: Which of its fields.
        time: Which time point, None for all.
        z: Which plane of the stack that is left, in stored order, None for all.
    """

    file: str
    series: int = 0
    time: int | None = None
    z: int | None = None

    def __str__(self) -> str:
        series = f"#s={self.series}" if self.series else ""
        time = "" if self.time is None else f"#t={self.time}"
        return f"{self.file}{series}{time}{'' if self.z is None else f'#z={self.z}'}"


def place_of(path: str) -> Place:
    """The place that a path of a `ChannelFile` means; one without marks is a whole file."""
    match = _MARKS.fullmatch(path)
    if match is None:
        return Place(path)
    series, time, z = (None if text is None else int(text) for text in match.groups()[1:])
    return Place(match["file"], series or 0, time, z)
