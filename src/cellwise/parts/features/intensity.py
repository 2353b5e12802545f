"""How bright, and how the brightness is spread: levels, and the distribution at two scales.

Levels are natural logarithms of the mean signal above the field's background, in 0..1 of the
intensity scale, with 0.001 (a quarter grey level of 8 bits) added; they are the only features that
change with the gain of a channel. All others are of the signal over its mean in the cell, smoothed
with sigma 0.8 and 1.6 pixels so that photon noise counts little.
"""

import numpy as np

from cellwise.kernels.features.distribution import average
from cellwise.parts.features.view import CELL, NUCLEUS, OBJECTS, Signal, View

LEAST_SIGNAL = 1e-3
SIGMAS = (0.8, 1.6)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_KURTOSIS = 50.0


def level_names(channel: str) -> list[str]:
    """What `measure_levels` gives."""
    made = [f"{who}_Intensity_LogMean_{channel}" for who in OBJECTS]
    return [
        *made,
        f"Cells_Intensity_LogIntegrated_{channel}",
        f"Nuclei_Intensity_LogQuantile95_{channel}",
    ]


def measure_levels(view: View, signal: Signal) -> list[float]:
    """Levels of one cell."""
    means = view.known(average(signal.relative, view.at, view.first))
    bright = signal.spread(SIGMAS[0])[NUCLEUS, 4 + SHARES.index(0.95)]
    numbers = np.array([*means, means[CELL] * len(view.at), bright]) * signal.divisor
    return [float(v) for v in np.log(np.maximum(numbers, 0) + LEAST_SIGNAL)]


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    what = ["CV", "Skewness", "Kurtosis", *(f"Quantile{round(100 * q)}" for q in SHARES)]
    made = [
        f"{who}_Intensity_{name}_{sigma}_{channel}"
        for sigma in SIGMAS
        for who in OBJECTS
        for name in what
    ]
    return [*made, f"Cells_Intensity_Grain_{channel}"]


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell; `Grain` is the mean difference to the signal smoothed with 0.8."""
    result: list[float] = []
    for sigma in SIGMAS:
        found = signal.spread(sigma)[:, : 4 + len(SHARES)]
        numbers = found[:, 1:].copy()
        numbers[:, 0] /= np.abs(found[:, 0]) + 1e-3
        numbers[:, 2] = np.minimum(numbers[:, 2], _KURTOSIS)
        result += numbers.ravel().tolist()
    grain = np.abs(signal.relative - signal.at(SIGMAS[0]))
    return [*result, float(average(grain, view.at, view.first)[CELL])]
