"""Single-cell images: crop, mask and resize in one pass over each cell's window.

Down-scaling is the exact area average, so nothing aliases; up-scaling is bilinear, so that a
network sees no blocks. No full-frame mask is ever made. Pixels outside the frame count as zero.

Source: the crop policies of the HPA 2021 systems AllDataAreExt & Galixir (neighbours zeroed;
"recentring"), Raman (neighbours zeroed, background kept; slender cells shown twice) and Riedel
(attenuation by a factor).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.crop_plan import CropPlan
from cellwise.errors import InputError
from cellwise.kernels._crop_rows import cut_cells
from cellwise.kernels.boxes import Boxes, as_labels

_UNIT = {"uint8": 1 / 255, "uint16": 1 / 65535, "float32": 1.0}


@dataclass(frozen=True, slots=True)
class Crops:
    """Cut-out cells.

    Args:
        pixels: float32 `[cell, channel, size, size]`; integers came as fractions of their range.
        coverage: float32 `[cell, size, size]`, the fraction of each pixel inside the cell.
    """

    pixels: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.float32]


def crop_windows(
    boxes: Boxes, plan: CropPlan, frame: tuple[int, ...] | None = None
) -> npt.NDArray[np.float64]:
    """Windows `[cell, (top, left, side)]` in source pixels; pixel 0 covers 0.0 to 1.0.

    The window is square and shares its centre with the box; it may reach beyond the frame, unless
    the plan wants it inside a `frame` of this height and width.
    """
    return windows_of(boxes.y0, boxes.x0, boxes.y1, boxes.x1, plan=plan, frame=frame)


def windows_of(
    y0: npt.NDArray[Any],
    x0: npt.NDArray[Any],
    y1: npt.NDArray[Any],
    x1: npt.NDArray[Any],
    *,
    plan: CropPlan,
    frame: tuple[int, ...] | None = None,
) -> npt.NDArray[np.float64]:
    """Windows as `crop_windows` gives them, for half-open boxes `[cell]`."""
    longer = np.maximum(y1 - y0, x1 - x0)
    side = longer * (1.0 + plan.pad) if plan.window is None else np.full(len(y0), plan.window)
    middle_y, middle_x = (y0 + y1) / 2, (x0 + x1) / 2
    top, left = middle_y - side / 2, middle_x - side / 2
    if plan.inside and frame is not None:
        top, left = (_inside(*pair, side) for pair in ((top, frame[0]), (left, frame[1])))
    return np.stack([top, left, side], axis=1).astype(np.float64)


def _inside(
    start: npt.NDArray[Any], length: int, side: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Starts shifted so that windows lie within the length; in its middle where they are longer."""
    spare = np.asarray(length - side, np.float64)
    return np.where(spare >= 0, np.clip(start, 0, np.maximum(spare, 0)), spare / 2)


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
    # Two pieces of memory: each stays below the size that goes back to the system at once, see
    # `parts.memory`.
    result = np.empty((len(boxes), pixels.shape[0], plan.size, plan.size), np.float32)
    coverage = np.empty((len(boxes), plan.size, plan.size), np.float32)
    outlines = np.stack([boxes.y0, boxes.x0, boxes.y1, boxes.x1], axis=1)
    background, others = plan.gains
    cut_cells(
        pixels if pixels.flags.c_contiguous else np.ascontiguousarray(pixels),
        as_labels(labels),
        boxes.ids,
        outlines,
        crop_windows(boxes, plan, labels.shape),
        np.array([background, others, _UNIT[pixels.dtype.name]], np.float32),
        True if pixels.dtype.kind == "f" else None,
        result,
        coverage,
    )
    if plan.repeat:
        _show_twice(result, boxes, plan)
        _show_twice(coverage[:, None], boxes, plan)
    return Crops(result, coverage)


def _show_twice(crops: npt.NDArray[np.float32], boxes: Boxes, plan: CropPlan) -> None:
    """Put the band of each slender cell into its crop `[cell, channel, y, x]` twice, in place."""
    height, width = boxes.y1 - boxes.y0, boxes.x1 - boxes.x0
    side = crop_windows(boxes, plan)[:, 2]
    for place in np.flatnonzero(2 * np.minimum(height, width) < np.maximum(height, width)):
        lying = height[place] < width[place]
        crop = crops[place] if lying else crops[place].swapaxes(1, 2)
        short = min(height[place], width[place])
        rows = min(max(round(plan.size * short / side[place]), 1), plan.size // 2)
        start = (plan.size - rows) // 2
        band = crop[:, start : start + rows].copy()
        crop[:] = 0
        above = plan.size // 2 - rows
        crop[:, above : above + 2 * rows] = np.concatenate([band, band], axis=1)
