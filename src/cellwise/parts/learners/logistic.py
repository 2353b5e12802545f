"""Logistic regression on soft labels: each class against its absence, all numbers weighed at once.

Minimises the weighted cross entropy of every class plus half of `penalty` times the squared size of
the weights. Cells that lack numbers are judged by a model of the numbers that such cells have.

Source: Cox 1958; L-BFGS as in scikit-learn's `LogisticRegression` (Pedregosa and others 2011),
which takes no soft labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from cellwise.contracts.learner import Arrays, Fitted, Floats, Learner, Smoother
from cellwise.errors import BadOption
from cellwise.parts.learners._kernel import blocks
from cellwise.parts.learners._per_fold import PerFold
from cellwise.parts.learners._viewed import fit_viewed, restore_viewed

Doubles = npt.NDArray[np.float64]


def build(penalty: float = 30.0, iterations: int = 200) -> Learner:
    """Make the learner.

    Args:
        penalty: Pull of the weights towards 0, above 0, in units of a cell of weight 1.
        iterations: Steps at most; the best so far is kept.
    """
    if not penalty > 0 or iterations < 1:
        raise BadOption("learner logistic: penalty lies above 0, iterations is at least 1.")
    return _Logistic(penalty, iterations)


@dataclass(frozen=True, slots=True)
class _Logistic:
    penalty: float
    iterations: int

    def fit(self, vectors: Floats, labels: Floats, weights: Floats, seed: int) -> Fitted:
        return fit_viewed(vectors, labels, weights, seed, self._learn)

    def out_of_fold(self, vectors: Floats, folds: npt.NDArray[np.int64], seed: int) -> Smoother:
        return PerFold(self, vectors, folds, seed)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
        return restore_viewed(arrays, lambda own: _Linear(own["slope"], own["offset"]))

    def _learn(self, ready: Floats, labels: Floats, weights: Floats, _: int) -> "_Linear":
        shape = ready.shape[1] + 1, labels.shape[1]

        def cost(flat: Doubles) -> tuple[float, Doubles]:
            table = flat.reshape(shape)
            total, slope = _cross_entropy(table, ready, labels, weights)
            total += self.penalty / 2 * float(np.square(table[:-1]).sum())
            slope[:-1] += self.penalty * table[:-1]
            return total, slope.ravel()

        start = np.zeros(shape)
        share = np.average(labels, axis=0, weights=weights).clip(1e-6, 1 - 1e-6)
        start[-1] = np.log(share / (1 - share))
        options = {"maxiter": self.iterations, "maxcor": 20}
        found = minimize(cost, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        table = found.x.reshape(shape).astype(np.float32)
        return _Linear(table[:-1], table[-1])


def _cross_entropy(
    table: Doubles, ready: Floats, labels: Floats, weights: Floats
) -> tuple[float, Doubles]:
    """The weighted sum over cells and classes, and its slope `[number and offset, class]`."""
    total, slope = 0.0, np.zeros(table.shape)
    for rows in blocks(len(ready), ready.shape[1] + table.shape[1]):
        some = ready[rows].astype(np.float64)
        logits = some @ table[:-1] + table[-1]
        mass = weights[rows, None].astype(np.float64)
        total += float((mass * (np.logaddexp(0, logits) - labels[rows] * logits)).sum())
        error = mass * (expit(logits) - labels[rows])
        slope[:-1] += some.T @ error
        slope[-1] += error.sum(0)
    return total, slope


@dataclass(frozen=True, slots=True)
class _Linear:
    """Weights `[number, class]` and offsets `[class]`."""

    slope: Floats
    offset: Floats

    def __call__(self, ready: Floats) -> Floats:
        found: Floats = expit(ready @ self.slope + self.offset)
        return found

    def arrays(self) -> Arrays:
        return {"slope": self.slope, "offset": self.offset}
