"""Predictions out of fold of any learner: one model for each fold that is left out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cellwise.contracts.learner import Floats, check_folds

if TYPE_CHECKING:
    from cellwise.contracts.learner import Learner


@dataclass(frozen=True, slots=True)
class PerFold:
    """A `Smoother` that learns anew for every fold whenever it is asked."""

    learner: "Learner"
    vectors: Floats
    folds: npt.NDArray[np.int64]
    seed: int

    def __post_init__(self) -> None:
        check_folds(self.vectors, self.folds)

    def __call__(self, labels: Floats, weights: Floats | None = None) -> Floats:
        """Probabilities `[cell, class]`, see `contracts.learner.Smoother`."""
        counted = np.ones(len(labels), np.float32) if weights is None else weights
        result = np.zeros(labels.shape)
        for partition in self.folds:
            for fold in np.unique(partition):
                asked = partition == fold
                taught = (partition != fold) & (partition >= 0)
                fitted = self.learner.fit(
                    self.vectors[taught], labels[taught], counted[taught], self.seed
                )
                result[asked] += fitted.predict(self.vectors[asked])
        return (result / len(self.folds)).astype(np.float32)
