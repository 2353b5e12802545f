"""Shares in weighted samples whose items lie in groups: effective size, variance, interval.

Sources: Jeffreys intervals (Brown, Cai and DasGupta 2001, Statistical Science 16:101) at the
effective size, Korn and Graubard 1998 (Survey Methodology 24:193); the effective size of weights is
that of Kish 1965.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, norm, t

from cellwise.measures.bootstrap import Floats, Groups, numbered

LEVEL = 0.9
TAIL = 0.5 - LEVEL / 2


@dataclass(frozen=True, slots=True)
class Share:
    """A share in 0..1 with its 90 % interval.

    Args:
        value: The estimate; NaN where nothing was judged.
        low: Lower end.
        high: Upper end.
        judged: Judged cells behind it.
        seen: Those of them that are what is counted.
    """

    value: float
    low: float
    high: float
    judged: int
    seen: int


def effective(weight: Floats) -> float:
    """How many items of equal weight say as much."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def variance_of_sum(parts: Floats, group: Groups) -> float:
    """Of a sum of parts that are 0 on average: as of groups, and at least as of single items.

    Few groups may seem more equal than they are, and single items are what was drawn.

    Args:
        parts: `[item]`.
        group: `[item]`, any numbers.
    """
    sums = np.bincount(numbered(group), weights=parts).astype(np.float64)
    return max(_of_sums(sums), _of_sums(parts))


def _of_sums(sums: Floats) -> float:
    count = len(sums)
    return float(count / (count - 1) * ((sums - sums.mean()) ** 2).sum()) if count > 1 else 0.0


def jeffreys(value: float, variance: float, size: float, judged: int) -> tuple[float, float]:
    """Jeffreys' interval of as many items as would have that variance.

    An estimate at an end has no variance that can be believed: it counts as `size` items.

    Args:
        value: The estimated share.
        variance: Of the estimate.
        size: Effective number of items.
        judged: Number of items, or of groups, that the variance was taken from.
    """
    n = size
    if 0 < value < 1 and variance > 0:
        tail = float(t.ppf(1 - TAIL, max(judged - 1, 1)))
        n = value * (1 - value) / variance * (float(norm.ppf(1 - TAIL)) / tail) ** 2
    n = max(n, 1e-9)
    hits = n * value
    low = float(beta.ppf(TAIL, hits + 0.5, n - hits + 0.5)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - TAIL, hits + 0.5, n - hits + 0.5)) if hits < n else 1.0
    # With little behind it the interval may leave the estimate out.
    return min(low, value), max(high, value)


def share_of(hit: Floats, weight: Floats, group: Groups) -> Share:
    """The weighted share of items that are hits.

    Args:
        hit: `[item]`, 1 or 0.
        weight: `[item]`, above 0.
        group: `[item]`, numbers of groups of items that are alike.
    """
    count = len(hit)
    if not count:
        return Share(np.nan, 0.0, 1.0, 0, 0)
    own = weight / weight.sum()
    value = float(np.clip(own @ hit, 0, 1))
    variance = variance_of_sum(own * (hit - value), group)
    low, high = jeffreys(value, variance, effective(weight), len(np.unique(group)))
    return Share(value, low, high, count, int(hit.sum()))
