"""Several score sets become one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from cellwise.contracts.adjuster import Floats
from cellwise.stages.decide._logits import logit

How = Literal["logits", "probabilities", "median"]


@dataclass(frozen=True, slots=True)
class Combination:
    """What is taken of the members' logits for each cell and class.

    Args:
        how: The mean of `logits`, the mean of `probabilities` (back as a logit), or the `median`
            of the logits.
        weights: One for each member, at least 0, not all 0; empty for equal ones. The median has
            none.
    """

    how: How = "logits"
    weights: tuple[float, ...] = ()

    def __call__(self, members: Floats) -> Floats:
        """`[cell, class]` of `[member, cell, class]`; a member that lacks a cell is left out.

        NaN where no member has the cell, or those that have it weigh nothing.
        """
        if self.how == "median":
            some = np.asarray(np.isfinite(members).any(axis=0)).all(axis=1)
            result = np.full(members.shape[1:], np.nan)
            result[some] = np.nanmedian(members[:, some], axis=0)
            return result
        weights = self.weights or (1.0,) * len(members)
        chances = self.how == "probabilities"
        total = np.zeros(members.shape[1:])
        sure = np.zeros(members.shape[1:])
        # One after the other: a thousand classes of all members at once are many numbers.
        for values, weight in zip(members, weights, strict=True):
            there = np.isfinite(values)
            total[there] += weight * (expit(values[there]) if chances else values[there])
            sure[there] += weight
        mean = total / np.where(sure > 0, sure, np.nan)
        return logit(mean) if chances else mean
