"""A field brought to a smaller side before its cells are cut out.

Source: "target raw image size" of the HPA 2021 system "Raman": images of the challenge lose what
those of the public atlas, kept at 1024 pixels, never had.
"""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.domain.crop_plan import CropPlan
from cellwise.kernels.boxes import Boxes


def reduced(
    pixels: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    boxes: Boxes,
    plan: CropPlan,
    side: int,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Boxes, CropPlan]:
    """Pixels, labels, boxes and plan for a field whose longer side is `side` at most.

    Args:
        pixels: `[channel, y, x]`, integers or float32.
        labels: `[y, x]`.
        boxes: Of the cells to cut.
        plan: How.
        side: In pixels; 0 for a field as it is.
    """
    height, width = labels.shape
    if not side or max(height, width) <= side:
        return pixels, labels, boxes, plan
    by = side / max(height, width)
    shape = max(round(height * by), 1), max(round(width * by), 1)
    size = (shape[1], shape[0])
    small = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in pixels])
    rows = ((np.arange(shape[0]) + 0.5) * height / shape[0]).astype(np.int64)
    columns = ((np.arange(shape[1]) + 0.5) * width / shape[1]).astype(np.int64)
    down, across = shape[0] / height, shape[1] / width
    moved = replace(
        boxes,
        y0=np.floor(boxes.y0 * down).astype(boxes.y0.dtype),
        x0=np.floor(boxes.x0 * across).astype(boxes.x0.dtype),
        y1=np.ceil(boxes.y1 * down).astype(boxes.y1.dtype),
        x1=np.ceil(boxes.x1 * across).astype(boxes.x1.dtype),
    )
    window = None if plan.window is None else max(plan.window * by, 1.0)
    return small, labels[np.ix_(rows, columns)], moved, replace(plan, window=window)
