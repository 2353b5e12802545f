"""Shape of cell and nucleus: size, outline and form, from the masks alone.

Areas in square pixels, lengths in pixels. The perimeter is that of Benkrid and Crookes (2000), as
scikit-image and CellProfiler take it. Hu's moments (IRE Trans. Inf. Theory 8, 179, 1962) are given
as the logarithm of their size, for panels of nuclei only.
"""

import cv2
import numpy as np

from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.shape import measure_shapes
from cellwise.parts.features.view import LEAST_PIXELS, Flags, Signal, View

_FORM = ("Area", "Perimeter", "Eccentricity", "Solidity", "FormFactor")
HU = 4
_TINY = 1e-12


def names() -> list[str]:
    """What `measure` gives."""
    made = [f"{who}_AreaShape_{form}" for who in ("Cells", "Nuclei") for form in _FORM]
    return [
        *made,
        "Nuclei_AreaShape_MaximumRadius",
        "Cells_AreaShape_NucleusShare",
        "Cells_AreaShape_EdgesTouched",
    ]


def measure(view: View) -> list[float]:
    """Numbers of one cell."""
    result = [*_form(view.inside)]
    if not view.has_nucleus:
        return [*result, *[np.nan] * (len(_FORM) + 2), float(view.border)]
    share = view.first / len(view.at)
    radius = -float(view.away.min())
    return [*result, *_form(view.nucleus), radius, share, float(view.border)]


def hu_names(channel: str) -> list[str]:
    """What `measure_hu` gives."""
    return [
        "Nuclei_AreaShape_Pieces",
        *(f"Nuclei_AreaShape_LogHu_{k + 1}" for k in range(HU)),
        *(f"Nuclei_Intensity_LogHu_{k + 1}_{channel}" for k in range(HU)),
    ]


def measure_hu(view: View, signal: Signal) -> list[float]:
    """Connected parts of the nucleus, Hu's moments of it, and those of the signal in it."""
    if not view.has_nucleus:
        return [np.nan] * (2 * HU + 1)
    pieces = cv2.connectedComponents(view.nucleus, connectivity=4)[0] - 1
    flat = cv2.HuMoments(cv2.moments(view.nucleus, binaryImage=True)).ravel()[:HU]
    lit = signal.relative * view.nucleus
    weighed = cv2.HuMoments(cv2.moments(lit)).ravel()[:HU] if lit.any() else np.full(HU, np.nan)
    moments = np.log(np.abs(np.concatenate([flat, weighed])) + _TINY)
    return [float(pieces), *(float(v) for v in moments)]


def _form(mask: Flags) -> tuple[float, ...]:
    boxes = find_boxes(mask)
    area = float(boxes.area[0]) if len(boxes) else 0.0
    if area < LEAST_PIXELS:
        return area, *[np.nan] * (len(_FORM) - 1)
    shapes = measure_shapes(mask, boxes)
    around = _perimeter(_rim(mask))
    eccentricity, solidity = float(shapes.eccentricity[0]), float(shapes.solidity[0])
    return area, around, eccentricity, solidity, 4 * np.pi * area / around**2


_LENGTHS = np.zeros(50)
_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_LENGTHS[[21, 33]] = np.sqrt(2)
_LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2
_AROUND = np.array([[10, 2, 10], [2, 1, 2], [10, 2, 10]], np.uint8)


_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def _rim(mask: Flags) -> Flags:
    """Pixels of the mask with one outside at their side."""
    inner = cv2.erode(mask, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask - inner, np.uint8)


def _perimeter(rim: Flags) -> float:
    codes = cv2.filter2D(rim, cv2.CV_8U, _AROUND, borderType=cv2.BORDER_CONSTANT)
    return float(_LENGTHS @ np.bincount(codes.ravel(), minlength=50)[:50])
