"""Single-cell pictures: crop, mask and resize in one pass over each cell's window.

Down-scaling is the exact area average, so nothing aliases; up-scaling is bilinear, so that a
network sees no blocks. Both are separable: rows are first added up with their weights, all columns
at once, then columns. No full-frame mask is ever made. Pixels outside the frame count as zero.

Source: the crop policies of the HPA 2021 systems AllDataAreExt & Galixir (neighbours zeroed;
"recentring"), Raman (neighbours zeroed, background kept) and Riedel (attenuation by a factor).
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption, InputError
from cellwise.kernels.boxes import Boxes, as_labels

POLICIES = ("mask_others", "mask_all", "keep", "dim", "recentre")
_UNIT = {"uint8": 1 / 255, "uint16": 1 / 65535, "float32": 1.0}


@dataclass(frozen=True, slots=True)
class CropPlan:
    """How cells are cut out.

    Args:
        size: Side of the result in pixels.
        policy: `mask_others` zeroes other cells and keeps background; `mask_all` zeroes all but the
            cell; `keep` changes nothing; `dim` multiplies all but the cell by `dim`; `recentre`
            zeroes all but the cell and needs `window`, so that all cells keep one scale.
        pad: Side of the window beyond the longer side of the box, as a fraction of it.
        window: Side of the window in source pixels, the same for all cells, in place of `pad`.
        dim: The factor of policy `dim`, 0..1.

    Raises:
        BadOption: A value is out of range, or `recentre` has no `window`.
    """

    size: int = 64
    policy: str = "mask_others"
    pad: float = 0.1
    window: float | None = None
    dim: float = 0.25

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise BadOption(f"No crop policy is called {self.policy!r}. One of: {POLICIES}.")
        if not 1 <= self.size <= 4096:
            raise BadOption(f"The size of crops is 1 to 4096 pixels, not {self.size}.")
        if not 0 <= self.pad <= 10:
            raise BadOption(f"The padding of crops is 0 to 10 box sides, not {self.pad}.")
        if self.window is not None and not 1 <= self.window <= 65536:
            raise BadOption(f"The window of crops is 1 to 65536 pixels, not {self.window}.")
        if not 0 <= self.dim <= 1:
            raise BadOption(f"The dimming factor of crops is 0 to 1, not {self.dim}.")
        if self.policy == "recentre" and self.window is None:
            raise BadOption("Crop policy 'recentre' needs the option 'window' (source pixels).")

    @property
    def gains(self) -> tuple[float, float]:
        """What background and other cells are multiplied by."""
        return {
            "mask_others": (1.0, 0.0),
            "mask_all": (0.0, 0.0),
            "recentre": (0.0, 0.0),
            "keep": (1.0, 1.0),
            "dim": (self.dim, self.dim),
        }[self.policy]


@dataclass(frozen=True, slots=True)
class Crops:
    """Cut-out cells.

    Args:
        pixels: float32 `[cell, channel, size, size]`; integers came as fractions of their range.
        coverage: float32 `[cell, size, size]`, the fraction of each pixel inside the cell.
    """

    pixels: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.float32]


def crop_windows(boxes: Boxes, plan: CropPlan) -> npt.NDArray[np.float64]:
    """Windows `[cell, (top, left, side)]` in source pixels; pixel 0 covers 0.0 to 1.0.

    The window is square and shares its centre with the box; it may reach beyond the frame.
    """
    longer = np.maximum(boxes.y1 - boxes.y0, boxes.x1 - boxes.x0)
    side = longer * (1.0 + plan.pad) if plan.window is None else np.full(len(boxes), plan.window)
    middle_y, middle_x = (boxes.y0 + boxes.y1) / 2, (boxes.x0 + boxes.x1) / 2
    return np.stack([middle_y - side / 2, middle_x - side / 2, side], axis=1).astype(np.float64)


def crop_cells(
    pixels: npt.NDArray[Any], labels: npt.NDArray[Any], *, boxes: Boxes, plan: CropPlan
) -> Crops:
    """Cut the cells of `boxes` out of `pixels[channel, y, x]` (uint8, uint16 or float32).

    Masked pixels are zero whatever they held; a NaN that is kept spreads to the pixels around it.

    Raises:
        InputError: Pixels and labels differ in size, or the pixels are of another type.
    """
    if pixels.ndim != 3 or pixels.shape[1:] != labels.shape:
        raise InputError(
            f"Pixels {pixels.shape} and labels {labels.shape} differ in size.",
            code="size_mismatch",
            remedy="Give masks of the same height and width as the images.",
        )
    if pixels.dtype.name not in _UNIT:
        raise InputError(
            f"Crops are cut from uint8, uint16 or float32 pixels, not {pixels.dtype}.",
            code="pixel_type",
        )
    result = np.zeros((len(boxes), pixels.shape[0], plan.size, plan.size), np.float32)
    coverage = np.zeros((len(boxes), plan.size, plan.size), np.float32)
    outlines = np.stack([boxes.y0, boxes.x0, boxes.y1, boxes.x1], axis=1)
    background, others = plan.gains
    _crop(
        pixels if pixels.flags.c_contiguous else np.ascontiguousarray(pixels),
        as_labels(labels),
        boxes.ids,
        outlines,
        crop_windows(boxes, plan),
        np.array([background, others, _UNIT[pixels.dtype.name]], np.float32),
        result,
        coverage,
    )
    return Crops(result, coverage)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _crop(pixels, labels, ids, outlines, windows, gains, result, coverage):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    channels, height, width = pixels.shape
    size = result.shape[2]
    longest = 0
    for cell in range(len(ids)):
        longest = max(longest, int(np.ceil(windows[cell, 2])))
    # Five more than the window, so that the taps of the last column stay inside (on zeros).
    sums = np.zeros((channels + 1, longest + 5), np.float32)
    middle, gain = np.zeros(longest + 5, np.float32), np.empty(longest + 5, np.float32)
    starts, weights = np.empty(size, np.uint64), np.empty((3, size), np.float32)
    # Where everything outside the cell is zero, nothing outside its box needs to be read.
    only_box = gains[0] == 0 and gains[1] == 0
    for cell in range(len(ids)):
        low_y, low_x, high_y, high_x = 0, 0, height, width
        if only_box:
            low_y, low_x, high_y, high_x = outlines[cell]
        top, left, side = windows[cell]
        step = side / size
        reach = max(step, 1.0)
        origin = int(np.floor(left + 0.5 * (step - reach)))
        count = int(np.ceil(side)) + 2
        _weigh_columns(left - origin, step, starts, weights)
        first = max(origin, low_x)
        last = min(origin + count, high_x)
        if last <= first:
            continue
        sums[:] = 0
        for i in range(size):
            begin = top + (i + 0.5) * step - 0.5 * reach
            end = begin + reach
            start, stop = max(int(np.floor(begin)), low_y), min(int(np.ceil(end)), high_y)
            if stop <= start:
                continue
            sums[:, :count] = 0
            for y in range(start, stop):
                weight = np.float32((min(end, y + 1.0) - max(begin, float(y))) / reach)
                area = np.uint64(y), np.uint64(first), np.uint64(last - first)
                shift = np.uint64(first - origin)
                _add_row(pixels, labels, ids[cell], area, shift, weight, gains, gain, sums)
            columns = starts, weights
            pair = result[cell, :, i], coverage[cell, i]
            _shrink_rows(sums, middle, count, step, columns, gains[2], pair)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _add_row(pixels, labels, number, area, offset, weight, gains, gain, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add one source row, weighted and masked, to `sums[channel, x]`; its last row is coverage.

    Unsigned numbers index without a check for negative ones, and no slices are taken: both would
    keep the loops from running many columns at once.
    """
    y, first, count = area
    channels = np.uint64(pixels.shape[0])
    inside = labels.dtype.type(number)
    nothing = labels.dtype.type(0)
    background, others = weight * gains[0], weight * gains[1]
    for x in range(count):
        label = labels[y, first + x]
        own = label == inside
        sums[channels, offset + x] += weight if own else np.float32(0)
        gain[x] = weight if own else (background if label == nothing else others)
    for c in range(channels):
        for x in range(count):
            factor = gain[x]
            value = np.float32(pixels[c, y, first + x])
            # A select, not only a product: a masked NaN must not survive.
            value = value if factor > np.float32(0) else np.float32(0)
            sums[c, offset + x] += value * factor


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _shrink_rows(sums, middle, count, step, columns, unit, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Average columns: `inner` whole pixels summed beforehand, and three at the edges weighted.

    Every output pixel thus costs the same few operations, whatever the scale.
    """
    reach = max(step, 1.0)
    inner = np.uint64(np.floor(reach)) - np.uint64(1)
    one, two = np.uint64(1), np.uint64(2)
    pixels, coverage = out
    channels = np.uint64(len(pixels))
    starts, weights = columns
    size = np.uint64(len(starts))
    for c in range(channels + one):
        for x in range(np.uint64(count)):
            middle[x] = np.float32(0)
        for k in range(one, inner + one):
            for x in range(np.uint64(count)):
                middle[x] += sums[c, x + k]
        scale = np.float32((unit if c < channels else np.float32(1)) / reach)
        for j in range(size):
            start = starts[j]
            total = (
                weights[0, j] * sums[c, start]
                + weights[1, j] * sums[c, start + inner + one]
                + weights[2, j] * sums[c, start + inner + two]
                + middle[start]
            ) * scale
            if c < channels:
                pixels[c, j] = total
            else:
                coverage[j] = total


@numba.njit(cache=True, nogil=True)
def _weigh_columns(left, step, starts, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """First source column of each output column and the weights of the edge columns.

    Between the first and the last two lie `floor(reach) - 1` columns that are always wholly inside.
    Up-scaling uses a box one source pixel wide: its overlaps are the bilinear weights.
    """
    reach = max(step, 1.0)
    inner = int(np.floor(reach)) - 1
    for j in range(len(starts)):
        begin = left + (j + 0.5) * step - 0.5 * reach
        end = begin + reach
        start = int(np.floor(begin))
        starts[j] = start
        weights[0, j] = start + 1.0 - begin
        for k in range(2):
            column = start + inner + 1 + k
            weights[1 + k, j] = min(1.0, max(0.0, end - column))
