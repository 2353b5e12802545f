"""Signed rank correlation, over all wells and within wells.

Within one well only the model's eye for single cells counts: a model that knew no more than the
well would correlate over all wells, and not at all inside one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats, Groups


@dataclass(frozen=True, slots=True)
class WithinBetween:
    """Rank correlations: median inside groups, of the group medians, and how many groups count."""

    within: float
    between: float
    groups: int
    each: tuple[float, ...]


Evaluator = Callable[[Floats, Floats, Groups], WithinBetween]


def build(least: int = 10) -> Evaluator:
    """Make `(one, two, groups) -> WithinBetween` over cells.

    Args:
        least: Groups with fewer cells do not count.
    """
    if least < 2:
        raise BadOption("evaluate correlation: least is at least 2.")

    def evaluate(one: Floats, two: Floats, groups: Groups) -> WithinBetween:
        """`[cell]` each; cells where either value is not finite are left out."""
        known = np.isfinite(one) & np.isfinite(two)
        one, two, groups = one[known], two[known], groups[known]
        rows = [np.flatnonzero(groups == g) for g in np.unique(groups)]
        rows = [row for row in rows if len(row) >= least]
        each = [spearman(one[row], two[row]) for row in rows]
        defined = [value for value in each if np.isfinite(value)]
        medians = np.array([[np.median(one[row]), np.median(two[row])] for row in rows])
        medians = medians.reshape(-1, 2)
        return WithinBetween(
            float(np.median(defined)) if defined else float("nan"),
            spearman(medians[:, 0], medians[:, 1]),
            len(rows),
            tuple(each),
        )

    return evaluate


def spearman(one: npt.ArrayLike, two: npt.ArrayLike) -> float:
    """Signed rank correlation, ties at their mean rank; NaN for fewer than 2 or constant values."""
    a, b = np.asarray(one, np.float64), np.asarray(two, np.float64)
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum() / scale) if scale > 0 else float("nan")
