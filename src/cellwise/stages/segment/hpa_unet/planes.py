"""What the networks are shown: chosen channels, shrunk, reflected at the edges, in windows.

Sources: scale, reflection and the order of channels from CellProfiling/HPA-Cell-Segmentation;
shrinking equals `skimage.transform.rescale`, which that program calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Field
from cellwise.errors import InputError

Planes = npt.NDArray[np.float32]

# The networks halve the size five times.
_STEP = 32
# The longest side, at the networks' resolution, that goes through in one piece: a field of 4352
# pixels at the usual quarter size. It bounds memory.
_LONGEST = 1088
# Pieces of a larger field see at least this much of their neighbours.
_OVERLAP = 64


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a field as a network reads it.

    Args:
        planes: `[channel, y, x]`, sides multiples of 32.
        rows: Where in the shrunk field its core lies.
        columns: Likewise.
        inside: Where in `planes` the core begins, y and x.
    """

    planes: Planes
    rows: slice
    columns: slice
    inside: tuple[int, int]

    def core(self, maps: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The core of maps `[map, y, x]` that are as large as `planes`."""
        y, x = self.inside
        height = self.rows.stop - self.rows.start
        width = self.columns.stop - self.columns.start
        return maps[:, y : y + height, x : x + width]


def choose(field: Field, roles: Sequence[str | None], er_from: str) -> list[int | None]:
    """Where each plane of a network lies among the field's channels; None for a plane of zeros.

    Args:
        field: The field.
        roles: Role of each plane, None for zeros.
        er_from: Role or name of the channel that is taken where no channel shows the endoplasmic
            reticulum; `none` takes zeros.

    Raises:
        InputError: With code `channel_missing`, naming the channel.
    """
    found: list[int | None] = []
    for role in roles:
        place = None if role is None else field.index(role)
        if place is None and role == "er" and er_from:
            place = None if er_from == "none" else _index(field, er_from)
        elif place is None and role is not None:
            _index(field, role)
        found.append(place)
    return found


def shrunk(plane: Planes, factor: float) -> Planes:
    """The plane at `factor` of its size; shrinking smooths first, so that nothing aliases."""
    height, width = (max(round(side * factor), 1) for side in plane.shape)
    if (height, width) == plane.shape:
        return plane
    blur = [
        max((old / new - 1) / 2, 0.0) for old, new in zip(plane.shape, (height, width), strict=True)
    ]
    soft = plane
    if max(blur) > 0:
        sides = [2 * int(4 * sigma + 0.5) + 1 for sigma in blur]
        # Sigma 0 would make OpenCV guess one from the width of the kernel.
        soft = cv2.GaussianBlur(
            plane,
            (sides[1], sides[0]),
            sigmaX=max(blur[1], 1e-6),
            sigmaY=max(blur[0], 1e-6),
            borderType=cv2.BORDER_REFLECT_101,
        )
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))


def stretched(plane: Planes) -> Planes:
    """The plane with its darkest and brightest thousandth at 0 and 1."""
    low, high = np.percentile(plane[::2, ::2], (0.1, 99.9))
    if not high > low:
        return plane
    level: Planes = (plane - np.float32(low)) / np.float32(high - low)
    return level.clip(0, 1)


def windows(planes: Planes, margin: int) -> list[Window]:
    """The pieces that a network reads: one, or several where a side is very long.

    Args:
        planes: `[channel, y, x]`, shrunk and normalised.
        margin: Reflected pixels before the first row and column; behind the last ones as many as
            the next multiple of 32 asks for, at least one where there is a margin at all.
    """
    height, width = planes.shape[1:]
    if max(height, width) > _LONGEST:
        margin = max(margin, _OVERLAP)
    rows, columns = _cut(height), _cut(width)
    # Room for the last piece's own rounding up lies behind the margin.
    wide = np.pad(planes, ((0, 0), (margin, margin + _STEP), (margin, margin + _STEP)), "symmetric")
    found = []
    for row in rows:
        for column in columns:
            down = slice(row.start, row.start + _padded(row.stop - row.start, margin, height))
            across = slice(
                column.start, column.start + _padded(column.stop - column.start, margin, width)
            )
            found.append(Window(wide[:, down, across], row, column, (margin, margin)))
    return found


def _cut(length: int) -> list[slice]:
    count = -(-length // _LONGEST)
    ends = [length * number // count for number in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _padded(core: int, margin: int, whole: int) -> int:
    """The side of a piece with its margins, a multiple of 32."""
    # A piece that has a neighbour sees as much behind it as before it.
    behind = margin if core < whole else bool(margin)
    return -(-(margin + core + behind) // _STEP) * _STEP


def _index(field: Field, role: str) -> int:
    place = field.index(role)
    if place is not None:
        return place
    names = ", ".join(channel.name for channel in field.channels)
    hint = (
        "; or let another channel stand in for it with --set segment.er_from=microtubule "
        "(`none`: an empty one)"
        if role == "er"
        else ""
    )
    raise InputError(
        f"{field.site_id}: the networks read a channel {role!r}, which is not here "
        f"(found: {names}).",
        code="channel_missing",
        remedy=f"Say which one it is: --set read.roles.<name>={role}{hint}.",
        path=field.site_id,
    )
