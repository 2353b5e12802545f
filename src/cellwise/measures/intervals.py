"""95 % intervals: percentiles of draws, Wilson's for a share, and a share over whole groups.

Sources: percentile intervals, Davison and Hinkley 1997, section 5.3; Wilson 1927 (J. Am. Stat.
Assoc. 22:209).
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from cellwise.measures.bootstrap import Floats, drawn

LEVEL = 0.95
_TAILS = (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)
_DRAWS = 500


def interval(values: Floats) -> tuple[float, float]:
    """Percentile interval of draws; NaN where fewer than half of the draws are defined."""
    known = values[np.isfinite(values)]
    if not len(known) or 2 * len(known) < len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(known, _TAILS)
    return float(low), float(high)


def wilson_interval(hits: Floats, n: int) -> tuple[Floats, Floats]:
    """Score interval of Wilson 1927 for `hits` of `n`, in 0..1.

    It takes cells as independent, which cells of one well are not: read it as the least width.
    """
    z = float(norm.ppf(0.5 + LEVEL / 2))
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At the ends the bounds are exactly 0 and 1; rounding must not push the share outside.
    return np.minimum(np.maximum(centre - half, 0), share), np.maximum(
        np.minimum(centre + half, 1), share
    )


def share_interval(
    hits: Floats, n: npt.NDArray[np.int64], random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Percentile interval of the pooled share when whole groups are drawn with replacement.

    Args:
        hits: `[group, class]`.
        n: `[group]`, at least 1 each.
        random: Source of draws.
    """
    weights = drawn(random, len(n), draws=_DRAWS)
    shares = (weights @ hits) / (weights @ n)[:, None]
    ends = np.quantile(shares, _TAILS, axis=0)
    return ends[0], ends[1]
