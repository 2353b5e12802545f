"""Average precision of one class, and the same under many weightings of its items or groups.

It is `sum over distinct scores (R_k - R_{k-1}) P_k`, equal scores taken together, as in
scikit-learn. Items may be weighted one by one, or in whole groups from one sorting (`rank`).

With cells ranked by score, `C[k, g]` counts the cells of group g at or above the k-th distinct
score that holds a cell of the class, and `P[k, g]` those among them that show it. Under group
weights w the average precision is

    sum over k of (P_k w - P_{k-1} w) (P_k w) / (C_k w)  /  (P_last w)

so a thousand weightings cost two matrix products. The value equals scikit-learn's with the weight
of each cell's group as its sample weight.

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
        return _area(weights @ self.seen.T, weights @ self.hits.T)


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


def average_precision(
    truth: npt.NDArray[np.bool_], scores: Floats, *, weights: Floats | None = None
) -> float:
    """Average precision of one class; NaN without positives.

    Args:
        truth: `[item]`.
        scores: `[item]`, higher means more likely.
        weights: `[item]`, 1 if not given.
    """
    given = np.ones(len(truth)) if weights is None else weights
    return float(weighted_precision(truth, scores, given[None, :])[0])


def weighted_precision(truth: Flags, scores: Floats, weights: Floats) -> Floats:
    """`[draw]` average precision under `[draw, item]` weights; NaN where none is positive."""
    if not len(truth) or not truth.any():
        return np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    weights = weights[:, order]
    seen = np.cumsum(weights, axis=1)[:, ends]
    return _area(seen, np.cumsum(weights * truth[order], axis=1)[:, ends])


def _area(seen: Floats, hits: Floats) -> Floats:
    """`[draw]` from `[draw, score]`: what lies at or above each score, and its positives."""
    precision = hits / np.where(seen > 0, seen, 1)
    total = hits[:, -1]
    gained = np.diff(hits, axis=1, prepend=0.0)
    area = (gained * precision).sum(axis=1)
    found: Floats = np.where(total > 0, area / np.where(total > 0, total, 1), np.nan)
    return found
