"""Which pixels lie inside a polygon.

Coordinates count from the upper left corner of the frame, so that the pixel in row y and column x
has its centre at (x + 0.5, y + 0.5): the convention of COCO and QuPath. A pixel belongs to a
polygon when its centre does, by the even-odd rule over all rings, so that holes need no order. A
centre that lies exactly on an edge belongs to one side only: polygons that share edges share no
pixel and leave none out.

Source: even-odd scan conversion (Foley et al., Computer Graphics: Principles and Practice, 1990).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.float64]


def pixels_inside(
    rings: Sequence[Ring], *, height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels inside one polygon, those outside the frame left out.

    Args:
        rings: Outer ring and holes, each `[point, (x, y)]`; the last point may repeat the first.
        height: Rows of the frame.
        width: Columns of the frame.
    """
    rows, columns = _crossings(rings, height, width)
    if not len(rows):
        return rows, columns
    top, left = int(rows.min()), int(columns.min())
    toggles = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), np.int32)
    np.add.at(toggles, (rows - top, columns - left), 1)
    inside = np.cumsum(toggles, axis=1) % 2 == 1
    y, x = np.nonzero(inside)
    return y + top, x + left


def _crossings(
    rings: Sequence[Ring], height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where edges cross the middle of a row: the row, and the first pixel centre not left of it."""
    starts = np.concatenate(list(rings))
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    # Each edge from its upper to its lower end: both neighbours then compute the same crossing.
    falling = (starts[:, 1] < ends[:, 1])[:, None]
    upper, lower = np.where(falling, starts, ends), np.where(falling, ends, starts)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(np.int64)
    behind = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(np.int64)
    count = np.maximum(behind - first, 0)
    edge = np.repeat(np.arange(len(count)), count)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    start, end = upper[edge], lower[edge]
    share = (rows + 0.5 - start[:, 1]) / (end[:, 1] - start[:, 1])
    x = start[:, 0] + share * (end[:, 0] - start[:, 0])
    columns = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    return rows, columns
