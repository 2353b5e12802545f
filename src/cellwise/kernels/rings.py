"""Rings of cytoplasm around nuclei, and intensities inside any label image.

Source: the ring of translocation assays, as for set BBBC013 of Ljosa et al., Nat Methods 9, 637
(2012): the nuclear to ring ratio tells where a protein is, without an exact cell outline.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.boxes import Boxes, as_labels


@dataclass(frozen=True, slots=True)
class Intensities:
    """What the pixels under each label hold, all `[cell, channel]`; NaN where there is no pixel.

    Args:
        mean: Mean of the finite pixels.
        saturated: Fraction of pixels at 1.0 or above.
        sharpness: Mean squared step between horizontal neighbours over the variance; noise and
            focus raise it, brightness does not. NaN where the cell is flat.
    """

    mean: npt.NDArray[np.float64]
    saturated: npt.NDArray[np.float64]
    sharpness: npt.NDArray[np.float64]


def draw_rings(
    cells: npt.NDArray[Any], nuclei: npt.NDArray[Any], *, boxes: Boxes, near: float, far: float
) -> npt.NDArray[np.uint32]:
    """A label image of rings: pixels of the own cell at a distance from the own nucleus.

    Args:
        cells: Label image of cells.
        nuclei: Label image of nuclei; a nucleus has its cell's number.
        boxes: Boxes of the nuclei.
        near: The ring begins beyond this many nucleus radii (at least 1 pixel); the nucleus's
            blurred edge stays out.
        far: It ends at this many nucleus radii (at least 2 pixels after its beginning).

    Distances are between pixel centres; the radius is that of a disc of the nucleus's area.
    """
    rings = np.zeros(cells.shape, np.uint32)
    radius = np.sqrt(boxes.area / np.pi)
    begin = np.maximum(1.0, near * radius)
    end = np.maximum(begin + 2.0, far * radius)
    outlines = np.stack([boxes.y0, boxes.x0, boxes.y1, boxes.x1], axis=1)
    _draw(as_labels(cells), as_labels(nuclei), boxes.ids, outlines, begin, end, rings)
    return rings


def measure_intensities(
    pixels: npt.NDArray[np.float32], labels: npt.NDArray[Any], ids: npt.NDArray[np.int64]
) -> Intensities:
    """Intensities of `pixels[channel, y, x]` under each of the ascending `ids` of `labels`."""
    sums = np.zeros((len(ids), pixels.shape[0], 6), np.float64)
    _sum_up(np.ascontiguousarray(pixels, np.float32), as_labels(labels), ids, sums)
    count, total, squares, full, pairs, steps = np.moveaxis(sums, 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan)
        variance = squares / count - mean * mean
        # Below this the variance is rounding only: the cell is flat.
        flat = ~(variance > 1e-10) | (pairs == 0)
        sharpness = np.where(flat, np.nan, steps / pairs / variance)
        saturated = np.where(count > 0, full / count, np.nan)
    return Intensities(mean, saturated, sharpness)


@numba.njit(cache=True, nogil=True)
def _draw(cells, nuclei, ids, outlines, begin, end, rings):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = cells.shape
    for k in range(len(ids)):
        number, reach = ids[k], int(np.ceil(end[k]))
        top, left = max(outlines[k, 0] - reach, 0), max(outlines[k, 1] - reach, 0)
        bottom, right = min(outlines[k, 2] + reach, height), min(outlines[k, 3] + reach, width)
        down = _column_distances(nuclei, number, top, left, bottom, right)
        near, far = begin[k] * begin[k], end[k] * end[k]
        for y in range(top, bottom):
            for x in range(left, right):
                if cells[y, x] != number or nuclei[y, x] != 0:
                    continue
                best = far + 1.0
                for other in range(max(x - reach, left), min(x + reach + 1, right)):
                    across = float(other - x)
                    steps = float(down[y - top, other - left])
                    best = min(best, across * across + steps * steps)
                if near < best <= far:
                    rings[y, x] = number


@numba.njit(cache=True, nogil=True)
def _column_distances(nuclei, number, top, left, bottom, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rows between each pixel of the window and the nearest pixel of the nucleus in its column."""
    rows, columns = bottom - top, right - left
    far = rows + columns + 1000
    down = np.full((rows, columns), far, np.int64)
    for x in range(columns):
        last = far
        for y in range(rows):
            last = 0 if nuclei[top + y, left + x] == number else last + 1
            down[y, x] = last
        last = far
        for y in range(rows - 1, -1, -1):
            last = 0 if nuclei[top + y, left + x] == number else last + 1
            down[y, x] = min(down[y, x], last)
    return down


@numba.njit(cache=True, nogil=True)
def _sum_up(pixels, labels, ids, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`sums[cell, channel] = (count, sum, squares, saturated, pairs, squared steps)`."""
    channels, height, width = pixels.shape
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
            if cell == len(ids) or ids[cell] != np.int64(value):
                continue
            for c in range(channels):
                _sum_run(pixels[c, y, start:x], sums[cell, c])


@numba.njit(cache=True, nogil=True)
def _sum_run(run, entry):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    before = np.nan
    for x in range(len(run)):
        value = np.float64(run[x])
        if not np.isfinite(value):
            before = np.nan
            continue
        entry[0] += 1
        entry[1] += value
        entry[2] += value * value
        if value >= 1.0:
            entry[3] += 1
        if not np.isnan(before):
            entry[4] += 1
            entry[5] += (value - before) * (value - before)
        before = value
