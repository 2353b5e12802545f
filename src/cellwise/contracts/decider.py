"""What a decider is given and gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

POOLINGS = ("noisy_or", "mean", "max")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Out-of-fold scores of the cells of labelled bags (fields or wells), by positive class.

    Args:
        logits: `[cell, class]`.
        field: `[cell]`, index of the cell's field in `labels`; every field has at least one cell.
        labels: `[field, class]`, whether the field carries the class.
    """

    logits: npt.NDArray[np.float32]
    field: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fitted:
    """How logits become probabilities: `p = sigmoid(logit / temperature + bias)` per class.

    `calibration` is `weak` (fitted against field labels), `audited` (against cells that a person
    looked at) or `none`.
    """

    temperatures: tuple[float, ...]
    biases: tuple[float, ...]
    calibration: str
    pooling: str


Decider = Callable[[Evidence], Fitted]
