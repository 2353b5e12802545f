"""95 % intervals of a share: Wilson over cells, or bootstrap over fields."""

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Floats = npt.NDArray[np.float64]

_LEVEL = 0.95
_DRAWS = 500


def wilson_interval(hits: Floats, n: int) -> tuple[Floats, Floats]:
    """Score interval of Wilson 1927 for `hits` of `n`, in 0..1.

    It takes cells as independent, which cells of one well are not: read it as the least width.
    """
    z = float(norm.ppf(0.5 + _LEVEL / 2))
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At the ends the bounds are exactly 0 and 1; rounding must not push the share outside.
    return np.minimum(np.maximum(centre - half, 0), share), np.maximum(
        np.minimum(centre + half, 1), share
    )


def bootstrap_interval(
    hits: Floats, n: npt.NDArray[np.int64], random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Percentile interval of the pooled share when whole fields are drawn with replacement.

    Args:
        hits: `[field, class]`.
        n: `[field]`, cells, at least 1 each.
        random: Source of draws.
    """
    weights = random.multinomial(len(n), np.full(len(n), 1 / len(n)), size=_DRAWS)
    shares = (weights @ hits) / (weights @ n)[:, None]
    ends = np.quantile(shares, [0.5 - _LEVEL / 2, 0.5 + _LEVEL / 2], axis=0)
    return ends[0], ends[1]
