"""How well scores tell two kinds of items apart.

Source: the area under the ROC curve, Hanley and McNeil 1982.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata


def separation(score: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve; None where one side is empty. Ties count one half."""
    known = np.isfinite(score)
    score, truth = score[known], truth[known]
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return None
    ranks = float(rankdata(score)[truth].sum())
    return (ranks - positive * (positive + 1) / 2) / (positive * negative)
