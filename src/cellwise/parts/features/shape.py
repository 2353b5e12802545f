"""Shape of cell and nucleus: size, outline and form, from the masks alone.

Areas in square pixels, lengths in pixels. The perimeter is that of Benkrid and Crookes (2000), as
scikit-image and CellProfiler take it. Hu's moments (IRE Trans. Inf. Theory 8, 179, 1962) are given
as the logarithm of their size, for panels of nuclei only.
"""

import cv2
import numpy as np

from cellwise.kernels.features.outline import measure_outline
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
    area, around, eccentricity, solidity = measure_outline(mask)
    if area < LEAST_PIXELS:
        return area, *[np.nan] * (len(_FORM) - 1)
    return area, around, eccentricity, solidity, 4 * np.pi * area / around**2
