"""Average precision of one class under many weightings of whole groups, from one sorting.

With cells ranked by score, `C[k, g]` counts the cells of group g at or above the k-th distinct
score that holds a cell of the class, and `P[k, g]` those among them that show it. Under group
weights w the average precision is

    sum over k of (P_k w - P_{k-1} w) (P_k w) / (C_k w)  /  (P_last w)

so a thousand weightings cost two matrix products. Equal scores are taken together, and the value
equals scikit-learn's with the weight of each cell's group as its sample weight.

Source: Everingham et al. 2010 (VOC) without interpolation.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Groups = npt.NDArray[np.int64]

_NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Ranked:
    """The cells of one class, ranked once.

    Args:
        seen: `[score, group]`, cells at or above each distinct score that holds a positive.
        hits: `[score, group]`, those of them that show the class.
    """

    seen: Floats
    hits: Floats

    def precision(self, weights: Floats) -> Floats:
        """`[draw]` average precision under `[draw, group]` weights; NaN where none is left."""
        if not len(self.hits):
            return np.full(len(weights), np.nan)
        step = max(1, _NUMBERS_AT_ONCE // len(self.hits))
        parts = [
            self._some(weights[start : start + step]) for start in range(0, len(weights), step)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _some(self, weights: Floats) -> Floats:
        seen, hits = self.seen @ weights.T, self.hits @ weights.T
        gained = np.diff(hits, axis=0, prepend=0.0)
        area = (gained * hits / np.where(seen > 0, seen, 1.0)).sum(axis=0)
        total = hits[-1]
        found: Floats = np.where(total > 0, area / np.where(total > 0, total, 1.0), np.nan)
        return found


def rank(truth: Flags, scores: Floats, groups: Groups, *, count: int) -> Ranked:
    """Rank the cells of one class.

    Args:
        truth: `[cell]`, whether the cell shows the class.
        scores: `[cell]`, higher means more likely; finite.
        groups: `[cell]`, numbers from 0.
        count: Groups in all.
    """
    _, place = np.unique(-np.asarray(scores, np.float64), return_inverse=True)
    place = place.reshape(-1)
    holding = np.unique(place[truth])
    # Cells between two scores that hold a positive are first counted at the lower one.
    slot = np.searchsorted(holding, place)
    counted = slot < len(holding)
    shape = (len(holding), count)
    flat = slot[counted] * count + groups[counted]
    seen = np.bincount(flat, minlength=len(holding) * count).reshape(shape)
    positive = counted & truth
    flat = slot[positive] * count + groups[positive]
    hits = np.bincount(flat, minlength=len(holding) * count).reshape(shape)
    return Ranked(
        np.cumsum(seen, axis=0).astype(np.float64), np.cumsum(hits, axis=0).astype(np.float64)
    )


def average_precision(truth: Flags, scores: Floats) -> float:
    """Average precision of one class, each cell counted once; NaN without positives."""
    ranked = rank(truth, scores, np.zeros(len(truth), np.int64), count=1)
    return float(ranked.precision(np.ones((1, 1)))[0])
