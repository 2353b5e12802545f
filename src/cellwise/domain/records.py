"""The nouns that cross from one stage to the next: sites, cells, scores, labels, predictions.

Coordinates everywhere: pixel axes are `y` (down) and `x` (right), boxes are half-open, cell numbers
are the values in the mask and start at 1. Probabilities lie in 0..1.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.channels import Channel
from cellwise.domain.intensities import Scale
from cellwise.errors import InputError

PARTS = ("train", "test", "unlabelled")

_ID_FORBIDDEN = re.compile(r"[^A-Za-z0-9._-]")
_ID_VALID = re.compile(r"[A-Za-z0-9._-]+(~\d+)?")
_WELL = re.compile(
    r"(?P<row>[A-Za-z]{1,2})[\s_-]*0*(?P<column>\d{1,2})"
    # Column first, as some readers write it; the rows of a plate of 384 wells.
    r"|0*(?P<first>\d{1,2})[\s_-]*(?P<last>[A-Pa-p])"
    # Both as numbers: `R01C02`.
    r"|[Rr](?:ow)?[\s_-]*0*(?P<row_number>\d{1,2})"
    r"[\s_-]*[Cc](?:ol)?[\s_-]*0*(?P<column_after>\d{1,2})"
)
_MOST_ROWS = 32
# Planes of a file are named behind its path, as in `a.tif#z=3`.
_PLANE_WORDS = re.compile(r"(#[a-z]+=\d+)+$")


def file_of(path: str) -> str:
    """The file that a path of a `ChannelFile` lies in, without the plane that it may name."""
    return _PLANE_WORDS.sub("", path)


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """Where the pixels of one channel of one site lie.

    Args:
        channel: Which stain.
        paths: Files relative to the image folder, with forward slashes; several files are the
            planes of one Z stack, in order.
        plane: Index along the channel axis where one file holds several channels, else None.
        colour: True where a grey image was stored as RGB (public HPA files): the brightest of the
            three colours is the signal.
        scale: Which stored number is 0.0 and which 1.0; None in runs made before scales were kept.
    """

    channel: Channel
    paths: tuple[str, ...]
    plane: int | None = None
    colour: bool = False
    scale: Scale | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One field of view with all its channels.

    Args:
        id: Unique, made of `[A-Za-z0-9._-]` only.
        raw_id: The id as the folder wrote it.
        part: One of `PARTS`.
        files: One entry per channel.
        labels: Class names of the field; None where it has no label.
        metadata: Further columns, names without the prefix `Metadata_` (`Plate`, `Well`...).
        pixel_size: Micrometres per pixel, or None where unknown.
    """

    id: str
    raw_id: str
    files: tuple[ChannelFile, ...]
    part: str = "unlabelled"
    labels: tuple[str, ...] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    pixel_size: float | None = None

    def __post_init__(self) -> None:
        if not _ID_VALID.fullmatch(self.id):
            raise ValueError(f"A site id is made of letters, digits, '.', '_', '-': {self.id!r}")
        if self.part not in PARTS:
            raise ValueError(f"{self.id}: part is one of {PARTS}, not {self.part!r}.")

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels in the order of `files`."""
        return tuple(entry.channel for entry in self.files)


@dataclass(frozen=True, slots=True)
class Field:
    """The decoded pixels of a site: `pixels[channel, y, x]`, float32 in 0..1."""

    site_id: str
    pixels: npt.NDArray[np.float32]
    channels: tuple[Channel, ...]
    pixel_size: float | None = None

    def index(self, role: str) -> int | None:
        """Position of the channel with this role (or name), None where there is none."""
        for position, channel in enumerate(self.channels):
            if role in (channel.role, channel.name):
                return position
        return None

    def arranged(self, channels: tuple[Channel, ...]) -> "Field":
        """The field with these channels, in this order, found by their keys.

        Raises:
            InputError: `channel_missing`.
        """
        places = {channel.key: place for place, channel in enumerate(self.channels)}
        missing = [channel.name for channel in channels if channel.key not in places]
        if missing:
            raise InputError(
                f"no image of channel {missing[0]!r} (found: {', '.join(places)})",
                code="channel_missing",
                remedy="Add its file; all sites of a run need the same channels.",
                path=self.site_id,
            )
        order = [places[channel.key] for channel in channels]
        return replace(self, pixels=self.pixels[order], channels=channels)


@dataclass(frozen=True, slots=True)
class Masks:
    """Label images of one site, both `[y, x]`, uint16 or uint32, 0 = background.

    A cell and its nucleus carry the same number; a cell may have no nucleus.
    """

    cells: npt.NDArray[Any]
    nuclei: npt.NDArray[Any]

    def __post_init__(self) -> None:
        if self.cells.shape != self.nuclei.shape:
            raise ValueError(
                f"Cells {self.cells.shape} and nuclei {self.nuclei.shape} differ in size."
            )


def safe_ids(raw_ids: list[str]) -> list[str]:
    """Site ids for raw ids: forbidden characters become `_`, collisions ignoring case get `~2`...

    `~` itself is not allowed in raw ids, so a made id never meets a given one.
    """
    seen: dict[str, int] = {}
    result = []
    for raw in raw_ids:
        plain = _ID_FORBIDDEN.sub("_", raw) or "_"
        count = seen[plain.lower()] = seen.get(plain.lower(), 0) + 1
        result.append(plain if count == 1 else f"{plain}~{count}")
    return result


def row_letters(row: int) -> str:
    """`A` for 1, `Z` for 26, `AA` for 27, up to the 32 rows of 1536 wells; empty for others."""
    if not 1 <= row <= _MOST_ROWS:
        return ""
    return chr(64 + row) if row <= 26 else "A" + chr(64 + row - 26)


def normalise_well(text: str) -> str | None:
    """`A01` for `a1`, `A-01`, `A_1`, `A001`, `1-A` and `R01C01`, `AA01` for `aa1`; else None."""
    match = _WELL.fullmatch(text.strip())
    if match is None:
        return None
    row = match["row"] or match["last"] or row_letters(int(match["row_number"]))
    column = int(match["column"] or match["first"] or match["column_after"])
    if not row:
        return None
    return f"{row.upper()}{column:02d}" if column else None
