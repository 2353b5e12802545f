"""Kernel ridge out of fold, made once so that other labels of the same cells cost one product."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

from cellwise.contracts.learner import Floats
from cellwise.errors import PreflightError
from cellwise.parts.learners._columns import Flags, View, Views
from cellwise.parts.learners._kernel import (
    Landmarks,
    Settings,
    blocks,
    inverse_of,
    kernel,
    rate_of,
    solve_exact,
)
from cellwise.parts.learners._range import into_range

Doubles = npt.NDArray[np.float64]

# Cells on landmarks are kept up to this size, else made again whenever they are asked for.
_HELD_BYTES = 1 << 31


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models whose mean is taken: the numbers it sees, and how it learns."""

    columns: npt.NDArray[np.int64]
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Fold:
    """The cells that one model learns from, and those it judges."""

    taught: Flags
    judged: Flags


def _folds(partition: npt.NDArray[np.int64], counted: Flags) -> Iterator[_Fold]:
    for fold in np.unique(partition):
        taught = (partition >= 0) & (partition != fold) & counted
        if not taught.any():
            raise PreflightError(f"Without fold {fold} no cell has a weight to learn from.")
        yield _Fold(taught, partition == fold)


class _Smoother:
    """What both kinds share: the weights that it was last made for.

    Args:
        vectors: `[cell, number]`.
        folds: `[partition, cell]`.
        views: How cells are made ready.
        members: The members of each view.
        seed: Root of what is drawn.
    """

    def __init__(
        self,
        vectors: Floats,
        folds: npt.NDArray[np.int64],
        views: Views,
        members: Sequence[Sequence[Member]],
        seed: int,
    ) -> None:
        self.vectors, self.folds, self.seed = vectors, folds, seed
        judged, taught = views.parts(vectors), views.taught(vectors)
        self.parts = [
            (view, learned, asked, some)
            for (view, learned), (_, asked), some in zip(taught, judged, members, strict=True)
        ]
        self._weights: Floats | None = None

    def __call__(self, labels: Floats, weights: Floats | None = None) -> Floats:
        """Probabilities `[cell, class]`, see `contracts.learner.Smoother`."""
        counted = np.ones(len(self.vectors), np.float32) if weights is None else weights
        if self._weights is None or not np.array_equal(counted, self._weights):
            self._prepare(counted)
            self._weights = counted.copy()
        return into_range(self._answer(labels, counted))

    def _prepare(self, weights: Floats) -> None:
        raise NotImplementedError

    def _answer(self, labels: Floats, weights: Floats) -> Floats:
        raise NotImplementedError


def _rows(square: Floats, taught: Flags, judged: Flags, weights: Floats, ridge: float) -> Doubles:
    """`[judged, taught]`: `k (K + ridge / weight)^-1`, what each taught cell's label adds."""
    right = square[np.ix_(taught, judged)].astype(np.float64)
    inner = square[np.ix_(taught, taught)].astype(np.float64)
    return solve_exact(inner, weights[taught], ridge, right).T


def _rows_without(every: Doubles, taught: Flags, judged: Flags) -> Doubles:
    """The same from the inverse over all cells, taught or not.

    With `G` that inverse and L the cells that are left out, the rows of L are `-G_LL^-1 G_LT`: the
    blocks of `(K + ridge / weight) G = 1`, as in the closed form of errors of cells left out.
    """
    left = ~taught
    inner = every[np.ix_(left, left)]
    found = cho_solve(cho_factor(inner, overwrite_a=True), every[np.ix_(left, taught)])
    rows: Doubles = -found[judged[left]]
    return rows


class ExactSmoother(_Smoother):
    """One matrix `[cell, cell]` that is 0 within a fold; its rows add to 1."""

    def _prepare(self, weights: Floats) -> None:
        self._matrix = np.zeros((len(self.vectors), len(self.vectors)), np.float32)
        for view, learned, asked, members in self.parts:
            places = np.flatnonzero(learned)
            ready = view.of(self.vectors[learned])
            for number, member in enumerate(members):
                some = ready[:, member.columns]
                random = np.random.default_rng(self.seed + number)
                square = kernel(some, some, rate_of(some, member.settings.gamma, random))
                ridge, share = member.settings.ridge, 1 / (len(members) * len(self.folds))
                own = weights[places]
                # Where every cell teaches in some fold, what all of them say serves each fold.
                whole = bool((own > 0).all() and (self.folds[:, places] >= 0).all())
                every = inverse_of(square, own, ridge) if whole else None
                for partition in self.folds:
                    for fold in _folds(partition, weights > 0):
                        taught, judged = fold.taught[learned], (fold.judged & asked)[learned]
                        self._fill(fold, asked, learned, weights, share)
                        if not taught.any() or not judged.any():
                            continue
                        if every is None:
                            rows = _rows(square, taught, judged, own, ridge)
                        else:
                            rows = _rows_without(every, taught, judged)
                        rows += (1 - rows.sum(1))[:, None] * (
                            own[taught] / own[taught].sum(dtype=np.float64)
                        )
                        at = np.ix_(places[judged], places[taught])
                        self._matrix[at] += (share * rows).astype(np.float32)

    def _fill(
        self, fold: _Fold, asked: Flags, learned: Flags, weights: Floats, share: float
    ) -> None:
        """Where no cell of this view is left to learn from: the mean of the other cells."""
        if (fold.taught & learned).any():
            return
        judged = np.flatnonzero(fold.judged & asked)
        own = np.where(fold.taught, weights, 0)
        self._matrix[judged] += share * (own / own.sum())

    def _answer(self, labels: Floats, weights: Floats) -> Floats:
        answer: Floats = self._matrix @ labels.astype(np.float32, copy=False)
        return answer


@dataclass(frozen=True, slots=True)
class _Spread:
    """The cells of one view on landmarks, and each fold's factor to solve with."""

    view: View
    columns: npt.NDArray[np.int64]
    marks: Landmarks
    rows: npt.NDArray[np.int64]
    asked: Flags
    held: Floats | None
    factors: list[list[Any]]

    def blocks(self, vectors: Floats) -> Iterator[tuple[npt.NDArray[np.int64], Floats]]:
        """Places of cells, and the cells `[cell, direction]`."""
        for some in blocks(len(self.rows), len(self.marks.places)):
            places = self.rows[some]
            if self.held is not None:
                yield places, self.held[some]
            else:
                yield places, self.marks.of(self.view.of(vectors[places])[:, self.columns])


class LandmarkSmoother(_Smoother):
    """The same on landmarks: a round costs two products of `[cell, direction]` with the labels."""

    def _prepare(self, weights: Floats) -> None:
        self._spreads = [
            self._spread(view, learned, asked, members[0], weights)
            for view, learned, asked, members in self.parts
        ]

    def _spread(
        self, view: View, learned: Flags, asked: Flags, member: Member, weights: Floats
    ) -> _Spread:
        random = np.random.default_rng(self.seed)
        rows = np.flatnonzero(learned)
        some = view.of(self.vectors[random.permutation(rows)[: 4 * member.settings.landmarks]])
        some = some[:, member.columns]
        rate = rate_of(some, member.settings.gamma, random)
        marks = Landmarks.among(some, rate, member.settings.landmarks, random)
        spread = _Spread(view, member.columns, marks, rows, asked, None, [])
        if 4 * len(rows) * marks.directions <= _HELD_BYTES:
            held = np.concatenate([found for _, found in spread.blocks(self.vectors)])
            spread = _Spread(view, member.columns, marks, rows, asked, held, [])
        for partition in self.folds:
            grams = self._grams(spread, partition, weights)
            for fold in np.unique(partition):
                gram = sum(gram for other, gram in grams.items() if other not in (fold, -1))
                gram = np.asarray(gram) + member.settings.ridge * np.eye(marks.directions)
                spread.factors.append([fold, cho_factor(gram, overwrite_a=True)])
        return spread

    def _grams(
        self, spread: _Spread, partition: npt.NDArray[np.int64], weights: Floats
    ) -> dict[int, npt.NDArray[np.float64]]:
        size = spread.marks.directions
        grams = {int(fold): np.zeros((size, size)) for fold in np.unique(partition)}
        for places, found in spread.blocks(self.vectors):
            for fold, gram in grams.items():
                own = partition[places] == fold
                some = found[own] * np.sqrt(weights[places[own]])[:, None]
                gram += some.T @ some
        return grams

    def _answer(self, labels: Floats, weights: Floats) -> Floats:
        total = np.zeros(labels.shape, np.float32)
        for spread in self._spreads:
            factors = iter(spread.factors)
            for partition in self.folds:
                total += self._partition(spread, partition, factors, labels, weights)
        return total / np.float32(len(self.folds))

    def _partition(
        self,
        spread: _Spread,
        partition: npt.NDArray[np.int64],
        factors: Iterator[list[Any]],
        labels: Floats,
        weights: Floats,
    ) -> Floats:
        folds = [int(fold) for fold in np.unique(partition)]
        size = spread.marks.directions
        right = {fold: np.zeros((size, labels.shape[1])) for fold in folds}
        sums = {fold: np.zeros(size) for fold in folds}
        for places, found in spread.blocks(self.vectors):
            for fold in folds:
                own = partition[places] == fold
                mass = weights[places[own]][:, None]
                right[fold] += found[own].T @ (labels[places[own]] * mass)
                sums[fold] += (found[own] * mass).sum(0)
        solved = {}
        for fold in folds:
            others = [other for other in folds if other not in (fold, -1)]
            taught = np.isin(partition, others)
            inside = taught[spread.rows] & (weights[spread.rows] > 0)
            # Where no cell of this view is left to learn from: the mean of the other cells.
            rows = spread.rows[inside] if inside.any() else np.flatnonzero(taught)
            if not weights[rows].any():
                raise PreflightError(f"Without fold {fold} no cell has a weight to learn from.")
            mean = np.average(labels[rows], axis=0, weights=weights[rows])
            own = np.zeros((size, labels.shape[1]))
            for other in others:
                own += right[other] - np.outer(sums[other], mean)
            _, factor = next(factors)
            solved[fold] = (cho_solve(factor, own).astype(np.float32), mean.astype(np.float32))
        result = np.zeros(labels.shape, np.float32)
        for places, found in spread.blocks(self.vectors):
            for fold, (share, mean) in solved.items():
                own = (partition[places] == fold) & spread.asked[places]
                result[places[own]] = found[own] @ share + mean
        return result
