"""Cells keep their field's labels as far as they are supported, beside the field's best cell.

With F what cells of other groups make of the labels of a round, and m the largest F of a class in
the field, the next labels are `R = F / m` for the labels of the field and 0 for others; where
labels compete, `R (R / sum of R) ** compete`: 0 leaves them independent, from 1 on a cell shows
hardly more than one.

Source: out-of-fold relabelling of the HPA 2021 system "Raman" (23rd), made round upon round.
"""

import numpy as np

from cellwise.contracts.labeller import Floats
from cellwise.stages.label.posterior._fields import Fields, Floats64, Smooth

_LEAST = 1e-6


def ratio(fields: Fields, smooth: Smooth, *, rounds: int, compete: float = 0.0) -> Floats64:
    """`[cell, class]` in 0..1, from labels that every cell inherits.

    Args:
        fields: The cells and the labels of their fields.
        smooth: What cells of other groups make of labels.
        rounds: At least 1.
        compete: Exponent of the competition, at least 0.
    """
    labels = fields.judged(fields.own.astype(np.float64))
    for _ in range(rounds):
        found = smooth(labels.astype(np.float32))
        labels = fields.judged(supported(fields, found, compete=compete))
    return labels


def supported(fields: Fields, found: Floats, *, compete: float) -> Floats64:
    """One round's labels of what was found, `[cell, class]` in 0..1."""
    own = np.where(fields.own, found, 0).astype(np.float64)
    best = np.maximum(fields.best(own), _LEAST)
    share = own / best[fields.field]
    if not compete:
        return share
    total = np.maximum(share.sum(1, keepdims=True), _LEAST)
    return np.asarray(share * (share / total) ** compete)
