"""Filaments, blobs and holes: second derivatives of the signal smoothed with sigma 1.6 and 3.2.

Strengths are in units of the cell's mean signal. Orientation (0..1) says whether ridges run the
same way all over the cell, tangentiality (-1..1) whether they run around the nucleus, coherence
(0..1) whether gradients within 3 pixels agree (structure tensor, Bigün and Granlund, ICCV 1987).
"""

import cv2
import numpy as np

from cellwise.kernels.ridges import coherence, gradient_products, ridge_directions, ridge_maps
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
            made += [f"{who}_Ridges_{n}_{sigma}_{channel}" for n in ("LogRidgeToBlob", "Coherence")]
        made += [
            f"Cells_Ridges_Orientation_{sigma}_{channel}",
            f"Cytoplasm_Ridges_Tangentiality_{sigma}_{channel}",
        ]
    return made


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell."""
    result: list[float] = []
    for sigma in SIGMAS:
        smooth = signal.at(sigma)
        maps = ridge_maps(smooth, sigma)
        found = [signal.describe(one, _SHARE)[:, [0, 4]] for one in maps]
        count = np.array([len(view.at), view.first, len(view.at) - view.first])
        sums = [one[:, 0] * count + 0.1 for one in found]
        rest = np.column_stack([np.log(sums[0] / sums[1]), _coherence(view, smooth)])
        result += np.concatenate([*found, rest], axis=1).ravel().tolist()
        result += ridge_directions(smooth, maps[0], view.away, view.at, view.first).tolist()
    return result


def _coherence(view: View, smooth: Plane) -> Numbers:
    border = cv2.BORDER_CONSTANT
    products = [cv2.blur(one, _AROUND, borderType=border) for one in gradient_products(smooth)]
    return view.known(coherence(*products, view.at, view.first))
