"""Energy by scale: differences of the signal smoothed with sigma 0, 0.8, 1.6, 3.2 and 6.4 pixels.

Energy is the natural logarithm of the standard deviation of a band, with 0.001 added; quantiles and
skewness are of the band itself. Source: difference of Gaussians, Marr and Hildreth, Proc. R. Soc.
Lond. B 207, 187 (1980).
"""

import numpy as np

from cellwise.parts.features.view import OBJECTS, Signal

SIGMAS = (0.8, 1.6, 3.2, 6.4)
SHARES = np.array([0.01, 0.95, 0.995])
_FAINT = 1e-3


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    what = ("LogEnergy", "Skewness", "Quantile1", "Quantile95", "Quantile99.5")
    made = [
        f"{who}_Scale_{name}_{sigma}_{channel}"
        for sigma in SIGMAS
        for who in OBJECTS
        for name in what
    ]
    pairs = zip(SIGMAS[1:], SIGMAS[:-1], strict=True)
    made += [
        f"{who}_Scale_LogEnergyRatio_{coarse}to{fine}_{channel}"
        for coarse, fine in pairs
        for who in OBJECTS
    ]
    return made


def measure(signal: Signal) -> list[float]:
    """Numbers of one cell."""
    result: list[float] = []
    energies = []
    finer = signal.relative
    for sigma in SIGMAS:
        band = finer - signal.at(sigma)
        finer = signal.at(sigma)
        found = signal.describe(band, SHARES)
        spread = found[:, 1]
        energies.append(np.log(spread + _FAINT))
        # Of a band that is hardly there the skewness is that of rounding.
        skewness = found[:, 2] * spread / (spread + _FAINT)
        found[:, 2], found[:, 3] = energies[-1], skewness
        result += found[:, 2:].ravel().tolist()
    return [*result, *np.diff(energies, axis=0).ravel().tolist()]
