"""What labellers share: weights of doubtful cells, the best of a field, one answer per cell."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Bags, Floats


def weights(bags: Bags, *, border: float, tiny: float) -> Floats:
    """`[cell]`: 1, times `border` for cells at the edge, times `tiny` for tiny cells."""
    weight = np.where(bags.border, border, 1.0) * np.where(bags.tiny, tiny, 1.0)
    return weight.astype(np.float32)


def bag_maximum(values: Floats, site: npt.NDArray[np.int64], *, sites: int) -> Floats:
    """`[site, class]`: the largest value among a field's cells, 0 for a field without cells."""
    highest = np.zeros((sites, values.shape[1]), np.float32)
    if not len(site):
        return highest
    order = np.argsort(site, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(site[order]) > 0])
    highest[site[order][starts]] = np.maximum.reduceat(values[order], starts, axis=0)
    return highest


def shown(bags: Bags, label: Floats) -> dict[str, Any]:
    """`shown` for the record: each class's mean label in cells of fields that have it."""
    own = bags.inherited > 0
    return {
        "shown": {
            name: round(float(label[own[:, k], k].mean()), 3)
            for k, name in enumerate(bags.classes)
            if own[:, k].any()
        }
    }


def answers(bags: Bags, *, sharpen: float, none: bool, restricted: bool = True) -> Floats:
    """`[cell, class + 1]`: probabilities that a cell's one answer is a class of its field, or none.

    The softmax of `sharpen * score` over the labels of the field and, where `none` is allowed, the
    answer "none" in the last column, whose score is 0. All zero for cells without a score, and,
    where `none` is not allowed, for cells of fields without a label. Where classes are not
    `restricted` to the field's labels all of them are answers.
    """
    if bags.scores is None:
        raise ValueError("Answers follow from scores.")
    known = np.isfinite(bags.scores).all(axis=1, keepdims=True)
    given = bags.field_labels[bags.site] if restricted else np.ones(bags.scores.shape, bool)
    allowed = given & known
    allowed = np.concatenate([allowed, known & none], axis=1)
    scores = np.concatenate([bags.scores, np.zeros((len(bags.scores), 1))], axis=1)
    scores = np.where(allowed, sharpen * scores.astype(np.float64), -np.inf)
    top = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = powers.sum(axis=1, keepdims=True)
    shares: Floats = (powers / np.where(total > 0, total, 1)).astype(np.float32)
    return shares
