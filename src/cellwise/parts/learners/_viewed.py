"""Learners that cannot take missing numbers themselves: a model for each view of the vectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cellwise.contracts.learner import Arrays, Floats, check_learned
from cellwise.parts.learners._columns import Views, views_of


class Answers(Protocol):
    """What was learned of one view."""

    def __call__(self, ready: Floats) -> Floats:
        """Probabilities `[cell, class]` of standardised vectors `[cell, number]`."""

    def arrays(self) -> Arrays:
        """All of it, by name."""


# (standardised vectors, labels, weights above 0, seed) -> what answers for such vectors.
Learn = Callable[[Floats, Floats, Floats, int], Answers]


@dataclass(frozen=True, slots=True)
class ViewedFit:
    """A `Fitted`: the views, and what was learned of each."""

    views: Views
    answers: tuple[Answers, ...]

    def predict(self, vectors: Floats) -> Floats:
        """Probabilities `[cell, class]`."""
        found = [
            (rows, answer(view.of(vectors[rows])))
            for (view, rows), answer in zip(self.views.parts(vectors), self.answers, strict=True)
        ]
        result = np.empty((len(vectors), found[0][1].shape[1]), np.float32)
        for rows, own in found:
            result[rows] = own
        return result

    def arrays(self) -> Arrays:
        """All of it, by name."""
        found = self.views.arrays()
        for number, answer in enumerate(self.answers):
            found |= {f"{number}.{name}": array for name, array in answer.arrays().items()}
        return found


def fit_viewed(
    vectors: Floats,
    labels: Floats,
    weights: Floats,
    seed: int,
    learn: Learn,
    blocks: Sequence[int] = (),
) -> ViewedFit:
    """Learn each view from the cells that teach it; `blocks` as `views_of` takes them.

    Raises:
        PreflightError: No cell has a weight, or no number tells any two of them apart.
    """
    check_learned(vectors, labels, weights)
    kept = weights > 0
    if not kept.all():
        vectors, labels, weights = vectors[kept], labels[kept], weights[kept]
    views = views_of(vectors, blocks)
    answers = tuple(
        learn(view.of(vectors[rows]), labels[rows], weights[rows], seed)
        for view, rows in views.taught(vectors)
    )
    return ViewedFit(views, answers)


def restore_viewed(
    arrays: Mapping[str, npt.NDArray[Any]], restored: Callable[[Arrays], Answers]
) -> ViewedFit:
    """What was learned, from its arrays."""
    views = Views.restored(arrays)
    answers = tuple(
        restored(part_of(arrays, f"{number}."))
        for number in range(1 if views.common is None else 2)
    )
    return ViewedFit(views, answers)


def part_of(arrays: Mapping[str, npt.NDArray[Any]], start: str) -> Arrays:
    """Those arrays whose names begin so, under the rest of their names."""
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
