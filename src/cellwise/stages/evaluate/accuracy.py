"""Share of items whose most probable class is the true one, for data with one class per item."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats, Groups, group_draws
from cellwise.measures.intervals import interval


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of hits with its interval; NaN for no item."""

    value: float
    low: float
    high: float
    n: int


Evaluator = Callable[..., Accuracy]


def build(draws: int = 500) -> Evaluator:
    """Make `(truth, scores, *, groups, seed) -> Accuracy`; `draws` of whole groups."""
    if draws < 1:
        raise BadOption("evaluate accuracy: draws is at least 1.")

    def evaluate(
        truth: npt.NDArray[np.int64], scores: Floats, *, groups: Groups, seed: int
    ) -> Accuracy:
        """`truth` is a class number `[item]`, `scores` `[item, class]`; the first of ties wins."""
        if not len(truth):
            return Accuracy(float("nan"), float("nan"), float("nan"), 0)
        hit = (scores.argmax(axis=1) == truth).astype(np.float64)
        count = int(groups.max()) + 1
        hits = np.bincount(groups, weights=hit, minlength=count)
        n = np.bincount(groups, minlength=count).astype(np.float64)
        drawn = group_draws(count, draws=draws, seed=seed)
        total = drawn @ n
        shares = drawn @ hits / np.where(total > 0, total, np.nan)
        return Accuracy(float(hit.mean()), *interval(shares, units=count), len(truth))

    return evaluate
