"""How well two kinds of control wells stand apart: Z'-factor and SSMD, with intervals.

`Z' = 1 - 3 (sd+ + sd-) / |mean+ - mean-|` (Zhang, Chung, Oldenburg 1999);
`SSMD = (mean+ - mean-) / sqrt(sd+^2 + sd-^2)` (Zhang 2007), signed. Sample standard deviations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats
from cellwise.measures.intervals import interval


@dataclass(frozen=True, slots=True)
class ScreenQuality:
    """Both figures with intervals; NaN where fewer than two wells of a kind or no distance."""

    z_prime: float
    z_prime_low: float
    z_prime_high: float
    ssmd: float
    ssmd_low: float
    ssmd_high: float
    n_positive: int
    n_negative: int


Evaluator = Callable[..., ScreenQuality]


def build(draws: int = 1000) -> Evaluator:
    """Make `(positive, negative, *, seed) -> ScreenQuality` over well values.

    Args:
        draws: Bootstrap draws of wells, within each kind of control.
    """
    if draws < 1:
        raise BadOption("evaluate screen_quality: draws is at least 1.")

    def evaluate(positive: Floats, negative: Floats, *, seed: int) -> ScreenQuality:
        """`[well]` each; values that are not finite are left out."""
        up, down = positive[np.isfinite(positive)], negative[np.isfinite(negative)]
        if min(len(up), len(down)) < 2:
            return ScreenQuality(*(float("nan"),) * 6, len(up), len(down))
        random = np.random.default_rng(seed)
        ups = up[random.integers(0, len(up), (draws, len(up)))]
        downs = down[random.integers(0, len(down), (draws, len(down)))]
        z_prime, ssmd = _figures(up[None], down[None])
        z_primes, ssmds = _figures(ups, downs)
        return ScreenQuality(
            float(z_prime[0]),
            *interval(z_primes),
            float(ssmd[0]),
            *interval(ssmds),
            len(up),
            len(down),
        )

    return evaluate


def _figures(up: Floats, down: Floats) -> tuple[Floats, Floats]:
    """Z' and SSMD per row of `[draw, well]` values."""
    gap = up.mean(axis=1) - down.mean(axis=1)
    # A constant row's deviation comes out as rounding noise and would give an endless SSMD.
    one = np.where(np.ptp(up, axis=1) > 0, up.std(axis=1, ddof=1), 0.0)
    two = np.where(np.ptp(down, axis=1) > 0, down.std(axis=1, ddof=1), 0.0)
    both = np.hypot(one, two)
    z_prime = 1 - 3 * (one + two) / np.where(gap != 0, np.abs(gap), np.nan)
    return z_prime, gap / np.where(both > 0, both, np.nan)
