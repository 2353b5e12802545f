"""Scores and answers of the cells of fields with one label, for curves that all classes share."""

from collections.abc import Callable

import numpy as np

from cellwise.contracts.curves import Curve
from cellwise.contracts.decider import Evidence, Fitted, Floats

# A curve of one column needs no more numbers than this; of more, evenly spaced ones are taken.
_MOST = 400_000
# Of fewer fields a curve is that of their few cells: it ties all others, or turns them round.
FEWEST_FIELDS = 10


def fitted_on_single_labels(
    evidence: Evidence, curve: Callable[[Floats, Floats, Floats | None], Curve]
) -> Fitted:
    """What a decider gives back that fits one curve to cells of fields with one label or none.

    Where fewer than ten fields are such, or all answers are alike, nothing is fitted: probabilities
    are those of the logits, and `calibration` says `none`.

    Args:
        evidence: Out-of-fold scores.
        curve: Scores in rising order, their answers, 0 or 1, and what each counts (None for all
            alike) to a curve.
    """
    count = evidence.labels.shape[1]
    plain = (1.0,) * count, (0.0,) * count
    single = evidence.labels.sum(axis=1) <= 1
    cells = single[evidence.field]
    score = evidence.logits[cells].astype(np.float64).ravel()
    answer = evidence.labels[evidence.field[cells]].astype(np.float64).ravel()
    fields = len(np.unique(evidence.field[cells]))
    if fields < FEWEST_FIELDS or not 0 < answer.sum() < len(answer):
        return Fitted(*plain, "none", "mean")
    # Sorted, so that the order of the cells is of no influence.
    order = np.lexsort([answer, score])
    order = order[:: -(-len(order) // _MOST)]
    weight = None
    if evidence.weight is not None:
        weight = np.repeat(evidence.weight[evidence.field[cells]], count)[order]
    return Fitted(*plain, "weak", "mean", curve(score[order], answer[order], weight))
