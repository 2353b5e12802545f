"""Shapes of cells: how elongated and how ragged, from one pass over the label image."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.boxes import Boxes, as_labels


@dataclass(frozen=True, slots=True)
class Shapes:
    """Shape per cell, both `[cell]` in 0..1.

    Args:
        eccentricity: Of the ellipse with the same second moments; 0 is round, 1 a line. A pixel
            counts as a square, not as a point.
        solidity: Area over the area of the convex hull of the pixels' corners; 1 is convex.
    """

    eccentricity: npt.NDArray[np.float64]
    solidity: npt.NDArray[np.float64]


def measure_shapes(labels: npt.NDArray[Any], boxes: Boxes) -> Shapes:
    """Shapes of the cells of `boxes`, which must come from the same label image."""
    heights = boxes.y1 - boxes.y0
    offsets = np.zeros(len(boxes) + 1, np.int64)
    np.cumsum(heights, out=offsets[1:])
    left = np.full(offsets[-1], labels.shape[1], np.int64)
    right = np.zeros(offsets[-1], np.int64)
    moments = np.zeros((len(boxes), 3), np.float64)
    centres = np.stack([boxes.y, boxes.x], axis=1)
    _extents(as_labels(labels), boxes.ids, boxes.y0, offsets, centres, left, right, moments)
    hulls = _hull_areas(offsets, left, right)
    spread_y, spread_x, product = (moments / np.maximum(boxes.area, 1)[:, None]).T
    mean = (spread_y + spread_x) / 2 + 1 / 12
    half = np.hypot((spread_y - spread_x) / 2, product)
    roundness = np.clip((mean - half) / (mean + half), 0.0, 1.0)
    return Shapes(np.sqrt(1.0 - roundness), boxes.area / np.maximum(hulls, 1.0))


@numba.njit(cache=True, nogil=True)
def _extents(labels, ids, tops, offsets, centres, left, right, moments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = labels.shape
    for y in range(height):
        x = 0
        while x < width:
            value = labels[y, x]
            start = x
            while x < width and labels[y, x] == value:
                x += 1
            if value == 0:
                continue
            cell = np.searchsorted(ids, np.int64(value))
            row = offsets[cell] + y - tops[cell]
            left[row] = min(left[row], start)
            right[row] = max(right[row], x)
            count = x - start
            dy = y - centres[cell, 0]
            dx = (start + x - 1) / 2 - centres[cell, 1]
            moments[cell, 0] += count * dy * dy
            moments[cell, 1] += count * dx * dx + count * (count * count - 1) / 12
            moments[cell, 2] += count * dy * dx


@numba.njit(cache=True, nogil=True)
def _hull_areas(offsets, left, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    areas = np.zeros(len(offsets) - 1, np.float64)
    for cell in range(len(areas)):
        begin, end = offsets[cell], offsets[cell + 1]
        areas[cell] = _side(right[begin:end], 1) - _side(left[begin:end], -1)
    return areas


@numba.njit(cache=True, nogil=True)
def _side(edge, sign):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Area between x = 0 and the convex chain outside of `edge` (`sign` 1: right, -1: left)."""
    chain = np.empty((2 * len(edge), 2), np.int64)
    count = 0
    for row in range(len(edge)):
        if sign * edge[row] <= (0 if sign > 0 else -(1 << 40)):
            continue
        for y in (row, row + 1):
            x = sign * edge[row]
            while count >= 2:
                ay, ax = chain[count - 2]
                by, bx = chain[count - 1]
                if (bx - ax) * (y - ay) > (x - ax) * (by - ay):
                    break
                count -= 1
            chain[count, 0] = y
            chain[count, 1] = x
            count += 1
    area = 0.0
    for k in range(1, count):
        area += (chain[k, 0] - chain[k - 1, 0]) * (chain[k, 1] + chain[k - 1, 1]) / 2
    return sign * area
