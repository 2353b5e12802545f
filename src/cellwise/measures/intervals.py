"""95 % intervals: percentiles of draws, Wilson's for a share, and a share over whole groups.

Sources: percentile intervals, Davison and Hinkley 1997, section 5.3; Wilson 1927 (J. Am. Stat.
Assoc. 22:209); the exact interval of a share, Clopper and Pearson 1934 (Biometrika 26:404).
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from cellwise.measures.bootstrap import Floats, drawn

LEVEL = 0.95
_TAILS = (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)
_DRAWS = 500


def interval(values: Floats, *, units: int | None = None) -> tuple[float, float]:
    """Percentile interval of draws; NaN where fewer than half of the draws are defined.

    What was right throughout is so in each draw, however little it was: such draws have no width,
    and say nothing of what was not seen. Where all of them are 1, or all 0, the other end is that
    of the exact interval of as many hits, or misses, as there are independent units.

    Args:
        values: One figure per draw.
        units: For figures in 0..1 only: how many groups are behind them; of a figure that compares
            two kinds of groups, the number of the rarer kind.
    """
    known = values[np.isfinite(values)]
    if not len(known) or 2 * len(known) < len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(known, _TAILS)
    if units and known.min() == known.max() and known[0] in (0, 1):
        reach = _TAILS[0] ** (1 / units)
        low, high = (reach, 1.0) if known[0] else (0.0, 1 - reach)
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
