"""How a stain goes with another one, a landmark: correlation, and its level where that peaks.

`Pearson` is of both signals, the first smoothed with 0.8 pixels; `PearsonHighPass` of what is left
of both when they are smoothed with 3.2 pixels. `AtPeak` is the first, smoothed with 1.6 pixels and
over its mean in the cell, where the landmark smoothed with 3.2 pixels is brightest in the
cytoplasm, as at the centrosome.
"""

import numpy as np

from cellwise.kernels.features.zones import brightest, correlate
from cellwise.parts.features.intensity import LEAST_SIGNAL
from cellwise.parts.features.view import CYTOPLASM, NUCLEUS, OBJECTS, Signal, View

_FINE, _MIDDLE, _COARSE = 0.8, 1.6, 3.2
_FAINT = 0.05


def names(channel: str, landmark: str) -> list[str]:
    """What `measure` gives."""
    made = [
        f"{who}_Correlation_{what}_{channel}_{landmark}"
        for who in OBJECTS
        for what in ("Pearson", "PearsonHighPass")
    ]
    return [*made, f"Cytoplasm_Correlation_AtPeak_{channel}_{landmark}"]


def measure(view: View, signal: Signal, landmark: Signal) -> list[float]:
    """Numbers of one cell."""
    coarse = (signal.at(_COARSE), landmark.at(_COARSE))
    found = correlate(signal.at(_FINE), landmark.relative, coarse, view.at, view.first)
    result: list[float] = view.known(found).ravel().tolist()
    if not view.there[CYTOPLASM]:
        return [*result, np.nan]
    place = brightest(landmark.at(_COARSE), view.places(CYTOPLASM))
    return [*result, float(signal.at(_MIDDLE).ravel()[place])]


def stain_names(channel: str, *, levels: bool = True) -> list[str]:
    """What `measure_stain` gives."""
    return [
        *([f"Cells_Intensity_LogMean_{channel}"] if levels else []),
        f"Cells_Zone_LogRatio_NucleusToCytoplasm_{channel}",
        f"Nuclei_Intensity_CV_{channel}",
        f"Cytoplasm_Intensity_CV_{channel}",
    ]


def measure_stain(signal: Signal, *, levels: bool = True) -> list[float]:
    """What is measured of a landmark itself; its level only where `levels` says so."""
    mean, spread = signal.describe(signal.relative, np.empty(0))[:, :2].T
    ratio = np.log((mean[NUCLEUS] + _FAINT) / (mean[CYTOPLASM] + _FAINT))
    level = [np.log(signal.level + LEAST_SIGNAL)] if levels else []
    return [float(v) for v in (*level, ratio, *(spread / (mean + _FAINT))[1:])]
