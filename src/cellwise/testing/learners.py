"""Check of what learns from vectors at once: learners."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cellwise.contracts.learner import Floats, Learner
from cellwise.errors import PreflightError
from cellwise.testing._component import Component

_CELLS, _NUMBERS, _CLASSES, _FOLDS = 200, 8, 3, 4


def check_learner(build: Callable[..., Learner], **options: Any) -> None:
    """Check a learner: probabilities that tell classes apart, the same ones from stored arrays.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("learner", build, options)
    learner: Learner = part.make(Learner)
    vectors, labels, weights = _cells(0)
    new, truth, _ = _cells(1)
    before = vectors.copy()
    fitted = learner.fit(vectors, labels, weights, 5)
    found = fitted.predict(new)
    shape = (_CELLS, _CLASSES)
    part.need(found.shape == shape, f"probabilities are [cell, class], {shape}", found.shape)
    part.need_finite(found, "its probabilities")
    low, high = float(found.min()), float(found.max())
    part.need(low >= 0 and high <= 1, "probabilities lie in 0..1", f"{low}..{high}")
    part.need(
        _tells_apart(found, truth), "it tells classes apart that numbers tell apart", "chance"
    )
    untouched = np.array_equal(before, vectors, equal_nan=True)
    part.need(untouched, "what it is given stays as it is", "vectors were written to")
    _check_stored(part, learner, new, found)
    counted = weights > 0
    fewer = learner.fit(vectors[counted], labels[counted], weights[counted], 5).predict(new)
    part.need_equal(found, fewer, "a cell of weight 0 is as if it were not there")
    _check_folds(part, learner)
    part.need_refused(
        lambda: learner.fit(np.ones_like(vectors), labels, weights, 5),
        PreflightError,
        "vectors that are all alike are refused",
    )


def _check_stored(part: Component, learner: Learner, new: Floats, found: Floats) -> None:
    again = learner.fit(*_cells(0), 5)
    same = np.array_equal(again.predict(new), found)
    part.need(same, "the same cells and seed give the same answer, bit for bit", "another")
    restored = learner.restore(again.arrays()).predict(new)
    same = np.array_equal(restored, found)
    part.need(same, "its arrays, restored, give the same answer, bit for bit", "another")


def _check_folds(part: Component, learner: Learner) -> None:
    vectors, labels, _ = _cells(0)
    folds = np.arange(_CELLS)[None] // 5 % _FOLDS
    smoother = learner.out_of_fold(vectors, folds, 5)
    found = smoother(labels)
    part.need(found.shape == labels.shape, "a smoother gives [cell, class]", found.shape)
    part.need(_tells_apart(found, labels), "it tells classes apart out of fold", "chance")
    own = folds[0] == 1
    other = labels.copy()
    other[own] = 1 - other[own]
    changed = smoother(other)
    part.need_equal(changed[own], found[own], "labels of a cell's own fold do not reach it")


def _cells(seed: int) -> tuple[Floats, Floats, Floats]:
    """Cells that show none, one or several classes; some lack numbers, some have no weight."""
    random = np.random.default_rng(seed)
    labels = (random.random((_CELLS, _CLASSES)) < 1 / _CLASSES).astype(np.float32)
    noise = random.normal(0, 1, (_CELLS, _NUMBERS))
    vectors = 100 * (noise + 4 * labels @ np.eye(_CLASSES, _NUMBERS)).astype(np.float32)
    vectors[random.random(_CELLS) < 1 / 8, _CLASSES:] = np.nan
    weights = random.choice(np.array([0, 0.5, 1], np.float32), _CELLS)
    return vectors, labels, weights


def _tells_apart(found: Floats, labels: Floats) -> bool:
    """Whether in each class nine of ten pairs of cells are in order."""
    for answer, shown in zip(found.T, labels.T > 0, strict=True):
        pairs = answer[shown][:, None] - answer[~shown]
        if (pairs > 0).mean() + (pairs == 0).mean() / 2 < 0.9:
            return False
    return True
