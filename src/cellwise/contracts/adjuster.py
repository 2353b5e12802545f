"""What an adjuster is given and gives back, and probabilities in logarithms."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# A probability closer to 0 or 1 than this makes no difference that could be told.
_EDGE = 1e-12


@dataclass(frozen=True, slots=True)
class Cells:
    """The scored cells of a run, labelled or not.

    Args:
        field: `[cell]`, a number per field, from 0.
        field_logits: `[cell, class]`, the score of each cell's whole field; None where the step
            names no score of fields.
        area: `[cell]` in pixels.
        border: `[cell]`, whether the cell touches the edge of the picture.
    """

    field: npt.NDArray[np.int64]
    field_logits: Floats | None
    area: Floats
    border: npt.NDArray[np.bool_]


# (logits [cell, positive class], the cells) -> logits of the same shape.
Adjuster = Callable[[Floats, Cells], Floats]


def log_chance(logits: Floats) -> Floats:
    """Logarithm of the probability of a logit."""
    return -np.logaddexp(0, -logits)


def logit_of_log(log_probability: Floats) -> Floats:
    """The logit of a probability given by its logarithm."""
    capped = np.minimum(log_probability, -_EDGE)
    return np.asarray(capped - np.log(-np.expm1(capped)))


def logit(probability: Floats) -> Floats:
    """The logit of a probability."""
    held = np.clip(probability, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(held) - np.log1p(-held))
