"""Filaments, blobs and holes: second derivatives of the signal smoothed with sigma 1.6 and 3.2.

Strengths are in units of the cell's mean signal. Orientation (0..1) says whether ridges run the
same way all over the cell, tangentiality (-1..1) whether they run around the nucleus, coherence
(0..1) whether gradients within 3 pixels agree (structure tensor, Bigün and Granlund, ICCV 1987).
"""

import cv2
import numpy as np

from cellwise.kernels.features.ridges import (
    coherence,
    gradient_products,
    ridge_directions,
    ridge_maps,
)
from cellwise.parts.features.view import OBJECTS, Numbers, Plane, Signal, View

SIGMAS = (1.6, 3.2)
_AROUND = (7, 7)
_SHARE = np.array([0.98])


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    what = [
        f"{kind}{number}" for kind in ("Ridge", "Blob", "Hole") for number in ("Mean", "Quantile98")
    ]
    made = []
    for sigma in SIGMAS:
        for who in OBJECTS:
            made += [f"{who}_Ridges_{name}_{sigma}_{channel}" for name in what]
            made.append(f"{who}_Ridges_LogRidgeToBlob_{sigma}_{channel}")
    made += [f"{who}_Ridges_Coherence_{SIGMAS[0]}_{channel}" for who in OBJECTS]
    return [
        *made,
        f"Cells_Ridges_Orientation_{SIGMAS[0]}_{channel}",
        f"Cytoplasm_Ridges_Tangentiality_{SIGMAS[0]}_{channel}",
    ]


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell; directions are those at the finer scale."""
    result: list[float] = []
    count = np.array([len(view.at), view.first, len(view.at) - view.first])
    maps = [ridge_maps(signal.at(sigma), sigma) for sigma in SIGMAS]
    for three in maps:
        numbers = np.empty((len(OBJECTS), 7))
        for place, one in enumerate(three):
            numbers[:, 2 * place : 2 * place + 2] = signal.describe(one, _SHARE)[:, ::4]
        ridge, blob = numbers[:, 0] * count + 0.1, numbers[:, 2] * count + 0.1
        numbers[:, 6] = np.log(ridge / blob)
        result += numbers.ravel().tolist()
    smooth = signal.at(SIGMAS[0])
    result += _coherence(view, smooth).tolist()
    ways = ridge_directions(smooth, maps[0][0], view.away, view.at, view.first)
    return [*result, *ways.tolist()]


def _coherence(view: View, smooth: Plane) -> Numbers:
    border = cv2.BORDER_CONSTANT
    yy, xx, yx = (cv2.blur(one, _AROUND, borderType=border) for one in gradient_products(smooth))
    return view.known(coherence(yy, xx, yx, view.at, view.first))
