"""What learns from vectors of cells at once, without epochs: the learner and what it gives.

A learner is built by a part of `parts/learners`. Vectors are `[cell, number]` float32, where NaN
says that the number could not be measured of the cell and infinity is never given; labels are
`[cell, class]` in 0..1, soft, several at once or none; weights are `[cell]`, at least 0, and a cell
of weight 0 is as if it were not there.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from cellwise.errors import PreflightError

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]


class Fitted(Protocol):
    """What was learned."""

    def predict(self, vectors: Floats) -> Floats:
        """Probabilities `[cell, class]` in 0..1 of vectors `[cell, number]`."""

    def arrays(self) -> Arrays:
        """All that is needed to predict again, by name; the learner's `restore` takes it back."""


class Smoother(Protocol):
    """Labels of cells become what models say that left the fold of each cell out."""

    def __call__(self, labels: Floats, weights: Floats | None = None) -> Floats:
        """Probabilities `[cell, class]`, the mean over the partitions into folds.

        Args:
            labels: `[cell, class]` in 0..1.
            weights: `[cell]`, at least 0; None weighs all cells alike.
        """


@runtime_checkable
class Learner(Protocol):
    """One way to learn from vectors."""

    def fit(self, vectors: Floats, labels: Floats, weights: Floats, seed: int) -> Fitted:
        """Learn from all of these cells.

        Raises:
            PreflightError: No cell has a weight, or no number tells any two of them apart.
        """

    def out_of_fold(self, vectors: Floats, folds: npt.NDArray[np.int64], seed: int) -> Smoother:
        """Prepare what leaves each cell's fold out.

        Args:
            vectors: `[cell, number]`. What does not depend on labels, such as the mean of a number,
                may be taken from all of them.
            folds: `[partition, cell]`, numbers of folds; whole groups share one. A cell of fold -1
                is learned from by none, and judged by what all others of the partition say.
            seed: Root of what is drawn by chance.

        Raises:
            PreflightError: A partition has fewer than two folds.
        """

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
        """What was learned, from its arrays; predicts the same numbers, bit for bit."""


def check_learned(vectors: Floats, labels: Floats, weights: Floats) -> None:
    """Refuse what no learner can learn from.

    Raises:
        ValueError: Shapes that do not belong together, or values outside their range.
        PreflightError: No cell has a weight.
    """
    fits = vectors.ndim == 2 and labels.ndim == 2 and weights.shape == (len(vectors),)
    if not fits or len(labels) != len(vectors):
        raise ValueError(
            f"Vectors {vectors.shape}, labels {labels.shape} and weights {weights.shape} are not "
            "[cell, number], [cell, class] and [cell]."
        )
    if np.isinf(vectors).any():
        raise ValueError("Vectors hold an infinity.")
    if not ((labels >= 0) & (labels <= 1)).all():
        raise ValueError("Labels lie in 0..1.")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("Weights are numbers of at least 0.")
    if not (weights > 0).any():
        raise PreflightError("No cell has a weight to learn from.")


def check_folds(vectors: Floats, folds: npt.NDArray[np.int64]) -> None:
    """Refuse folds that leave nothing to learn from.

    Raises:
        ValueError: They are not `[partition, cell]`, or vectors hold an infinity.
        PreflightError: A partition has fewer than two folds.
    """
    if folds.ndim != 2 or not len(folds) or folds.shape[1] != len(vectors):
        raise ValueError(
            f"Folds are [partition, cell], not {folds.shape} for {len(vectors)} cells."
        )
    if np.isinf(vectors).any():
        raise ValueError("Vectors hold an infinity.")
    for partition in folds:
        if len(np.unique(partition[partition >= 0])) < 2:
            raise PreflightError("Learning out of fold needs cells of at least two groups.")
