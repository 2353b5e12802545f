"""Figures beside average precision: ranks within a field, claims on empty cells, composition.

Average precision over all cells is high already where a learner knows the fields: cells of a field
with a label rank above all others. What single cells are worth shows within a field. All functions
take plain arrays, `[cell]` or `[cell, class]`, and say NaN where nothing can be judged.
"""

import numpy as np
import numpy.typing as npt

from cellwise.measures.average_precision import Flags, Floats, average_precision

# A class is claimed of a cell from this probability on.
CLAIMED = 0.5


def within_field_precision(truth: Flags, scores: Floats, fields: npt.NDArray[np.int64]) -> float:
    """Mean over fields of the average precision of one class among the field's own cells.

    Only fields count in which some cell shows the class and some does not; in the others every
    order is right. A random order has, on average, little more than the share of showing cells.

    Args:
        truth: `[cell]`.
        scores: `[cell]`, higher means more likely.
        fields: `[cell]`, number of the field.
    """
    order = np.argsort(fields, kind="stable")
    ends = np.flatnonzero(np.diff(fields[order])) + 1
    values = [
        average_precision(truth[cells], scores[cells])
        for cells in np.split(order, ends)
        if 0 < truth[cells].sum() < len(cells)
    ]
    return float(np.mean(values)) if values else float("nan")


def false_claims(truth: Flags, chance: Floats) -> float:
    """Share of the cells that show nothing of which some class is claimed all the same.

    Args:
        truth: `[cell, class]`.
        chance: `[cell, class]` in 0..1.
    """
    empty = ~truth.any(axis=1)
    return float((chance[empty] >= CLAIMED).any(axis=1).mean()) if empty.any() else float("nan")


def brier_score(truth: Flags, chance: Floats) -> float:
    """Mean squared distance of probability and truth over cells and classes (Brier 1950).

    Args:
        truth: `[cell, class]`.
        chance: `[cell, class]` in 0..1.
    """
    return float(np.square(chance - truth).mean()) if truth.size else float("nan")


def composition_error(truth: Flags, chance: Floats, fields: npt.NDArray[np.int64]) -> float:
    """How wrong the stated share of showing cells is: mean distance over fields and classes.

    Of each field and class the mean probability of its cells is held against the share of them that
    shows the class; only pairs count where the larger of the two is above 0.

    Args:
        truth: `[cell, class]`.
        chance: `[cell, class]` in 0..1.
        fields: `[cell]`, number of the field.
    """
    if not truth.size:
        return float("nan")
    _, place = np.unique(fields, return_inverse=True)
    count = np.bincount(place).astype(float)
    stated, real = (
        np.stack([np.bincount(place, weights=column) / count for column in values.T.astype(float)])
        for values in (chance, truth)
    )
    counted = np.maximum(stated, real) > 0
    return float(np.abs(stated - real)[counted].mean()) if counted.any() else float("nan")
