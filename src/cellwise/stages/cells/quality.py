"""Quality flags per cell, judged against the field's own median cell, so that no scale is assumed.

Flags: `border` (touches an edge of the frame), `tiny` and `giant` (area against the median),
`no_nucleus`, `saturated` (too many pixels at full range in some channel), `dark` (in every channel
hardly any signal above background), `out_of_focus` (nucleus channel much smoother than the median).

Source: the usual filters of CellProfiler pipelines for Cell Painting, Bray et al., Nat Protoc 11,
1757 (2016), with limits relative to the field in place of fixed ones.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption
from cellwise.kernels.boxes import Boxes, find_boxes
from cellwise.kernels.rings import measure_intensities

FLAGS = ("border", "tiny", "giant", "no_nucleus", "saturated", "dark", "out_of_focus")
Judge = Callable[[Field, Masks, Boxes, npt.NDArray[np.float64]], list[list[str]]]


def build(
    tiny: float = 0.25,
    giant: float = 4.0,
    saturated: float = 0.05,
    dark: float = 0.1,
    focus: float = 0.2,
) -> Judge:
    """Make the judge: `(field, masks, boxes, background[channel]) -> flags per box`, in order.

    Args:
        tiny: Flag areas below this many median areas.
        giant: Flag areas above this many median areas.
        saturated: Flag cells with more than this fraction of a channel's pixels at full range.
        dark: Flag cells whose signal is below this fraction of the median cell's in all channels.
        focus: Flag cells whose sharpness is below this fraction of the median cell's.
    """
    if not 0 <= tiny < 1 < giant:
        raise BadOption(f"Areas are judged by 0 <= tiny < 1 < giant, not {tiny} and {giant}.")

    def judge(
        field: Field, masks: Masks, boxes: Boxes, background: npt.NDArray[np.float64]
    ) -> list[list[str]]:
        if len(boxes) == 0:
            return []
        found = measure_intensities(field.pixels, masks.cells, boxes.ids)
        middle = np.median(boxes.area)
        signal = np.nan_to_num(found.mean - background)
        stain = field.index("nucleus")
        sharpness = found.sharpness[:, stain] if stain is not None else _average(found.sharpness)
        facts: dict[str, npt.NDArray[Any]] = {
            "border": boxes.touches_border,
            "tiny": boxes.area < tiny * middle,
            "giant": boxes.area > giant * middle,
            "no_nucleus": ~np.isin(boxes.ids, find_boxes(masks.nuclei).ids),
            "saturated": np.any(np.nan_to_num(found.saturated) > saturated, axis=1),
            "dark": np.all(signal <= np.maximum(dark * np.median(signal, axis=0), 0), axis=1),
            "out_of_focus": sharpness < focus * _middle(sharpness),
        }
        return [[flag for flag in FLAGS if facts[flag][k]] for k in range(len(boxes))]

    return judge


def _average(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over channels of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=1)
    counts = known.sum(axis=1)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _middle(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else 0.0
