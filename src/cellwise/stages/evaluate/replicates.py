"""How far wells that were treated alike agree: the intraclass correlation.

One-way random effects, `ICC(1) = (B - W) / (B + (k - 1) W)` with B and W the mean squares between
and within conditions and k the mean number of wells, corrected for unequal numbers (Shrout and
Fleiss 1979; Donner 1986). 1: replicates are equal; 0: as different as any two wells.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats, Groups, group_draws
from cellwise.measures.intervals import interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """Intraclass correlation with interval, over `wells` in `conditions` with two wells or more."""

    icc: float
    low: float
    high: float
    wells: int
    conditions: int


Evaluator = Callable[..., Agreement]


def build(draws: int = 500) -> Evaluator:
    """Make `(value, condition, *, seed) -> Agreement` over wells; `draws` of whole conditions."""
    if draws < 1:
        raise BadOption("evaluate replicates: draws is at least 1.")

    def evaluate(value: Floats, condition: Groups, *, seed: int) -> Agreement:
        """`[well]` each, condition numbers from 0; conditions with one well do not count."""
        known = np.isfinite(value)
        value, condition = value[known], condition[known]
        sizes = np.bincount(condition)
        kept = np.flatnonzero(sizes > 1)
        n = sizes[kept].astype(np.float64)
        if len(kept) < 2:
            nan = float("nan")
            return Agreement(nan, nan, nan, int(n.sum()), len(kept))
        # Centred first: sums of squares of large values would lose their digits.
        value = value - value.mean()
        total: Floats = np.bincount(condition, weights=value)[kept].astype(np.float64)
        squares: Floats = np.bincount(condition, weights=value**2)[kept].astype(np.float64)
        drawn = group_draws(len(kept), draws=draws, seed=seed).astype(np.float64)
        low, high = interval(_icc(drawn, n, total, squares))
        whole = _icc(np.ones((1, len(kept))), n, total, squares)[0]
        return Agreement(float(whole), low, high, int(n.sum()), len(kept))

    return evaluate


def _icc(weights: Floats, n: Floats, total: Floats, squares: Floats) -> Floats:
    """`[draw]`, from per-condition number, sum and sum of squares."""
    conditions, wells = weights.sum(axis=1), weights @ n
    grand = (weights @ total) / wells
    between = weights @ (total**2 / n) - wells * grand**2
    within = weights @ (squares - total**2 / n)
    mean_b = np.maximum(between, 0) / np.maximum(conditions - 1, 1)
    mean_w = np.maximum(within, 0) / np.maximum(wells - conditions, 1)
    size = (wells - weights @ n**2 / wells) / np.maximum(conditions - 1, 1)
    below = mean_b + (size - 1) * mean_w
    icc: Floats = np.where(below > 0, mean_b - mean_w, np.nan) / np.where(below > 0, below, 1)
    return icc
