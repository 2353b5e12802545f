"""What a decider is given and gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.contracts.curves import Curve, Logistic

Floats = npt.NDArray[np.float64]

POOLINGS = ("noisy_or", "mean", "max")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Out-of-fold scores of the cells of labelled bags (fields or wells), by positive class.

    Args:
        logits: `[cell, class]`.
        field: `[cell]`, index of the cell's field in `labels`; every field has at least one cell.
        labels: `[field, class]`, whether the field carries the class.
        weight: `[field]`, above 0, how much each counts; None for all alike. Cells that people
            judged come as fields of one cell each, and one that stands for many counts for more.
    """

    logits: npt.NDArray[np.float32]
    field: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]
    weight: Floats | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """How logits become probabilities: `p = sigmoid(logit / temperature + bias)` per class.

    `calibration` is `weak` (fitted against field labels), `audited` (against cells that a person
    looked at) or `none`. Where there is a `curve`, it takes the place of temperatures and biases,
    which are then 1 and 0.
    """

    temperatures: tuple[float, ...]
    biases: tuple[float, ...]
    calibration: str
    pooling: str
    curve: Curve | None = None

    @property
    def as_curve(self) -> Curve:
        """The curve, or that of temperatures and biases."""
        return self.curve or Logistic(self.temperatures, self.biases)


Decider = Callable[[Evidence], Fitted]
