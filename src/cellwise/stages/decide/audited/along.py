"""Probabilities on curves of their own, class by class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cellwise.contracts.curves import Curve
from cellwise.stages.decide._logits import logit

Floats = npt.NDArray[np.float64]


def along(curves: Sequence[Curve | None], chance: Floats) -> Floats:
    """`[cell, class]` probabilities on their curves; those of classes without one as they are."""
    found = chance.copy()
    for column, curve in enumerate(curves):
        if curve is not None:
            value = logit(chance[:, column])[:, None]
            found[:, column] = np.clip(curve(value, np.zeros(len(value), np.int64))[:, 0], 0, 1)
    return found
