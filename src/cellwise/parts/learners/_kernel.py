"""Kernel ridge regression on standardised vectors: exact, or on landmarks where cells are many.

Minimises `sum_i weight_i |f(x_i) - y_i|^2 + ridge |f|^2` over functions of the Gaussian kernel
`exp(-gamma d^2 / median d^2)`. On landmarks, `f` is a sum of the kernels of some cells alone, and
all cells are still learned from.

Source: kernel ridge regression (Saunders, Gammerman and Vovk 1998); landmarks of Nystroem (Williams
and Seeger 2001, NeurIPS 13).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.linalg.lapack import dpotri

from cellwise.contracts.learner import Arrays, Floats

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

# Numbers of a kernel that are held at a time.
_BLOCK = 1 << 24
_PAIRS = 50_000
# A squared distance below this share of others is the rounding of single precision.
_ROUNDING = 1e-5
# Directions of the landmarks' kernel below this share of its largest are mere rounding.
_RANK = 1e-6


@dataclass(frozen=True, slots=True)
class Settings:
    """How smooth: penalty of size, narrowness of the kernel, and landmarks above `exact` cells."""

    ridge: float
    gamma: float
    exact: int
    landmarks: int


@dataclass(frozen=True, slots=True)
class Sums:
    """A sum of kernels: `mean + k(x, places) @ share`, with `k = exp(-rate d^2)`."""

    places: Floats
    share: Floats
    mean: Floats
    rate: float

    def __call__(self, ready: Floats) -> Floats:
        """`[cell, class]`, not bounded."""
        result = np.empty((len(ready), self.share.shape[1]), np.float32)
        for rows in blocks(len(ready), len(self.places)):
            result[rows] = kernel(ready[rows], self.places, self.rate) @ self.share + self.mean
        return result

    def arrays(self) -> Arrays:
        """All of it, by name."""
        return {
            "places": self.places,
            "share": self.share,
            "mean": self.mean,
            "rate": np.array([self.rate]),
        }

    @classmethod
    def restored(cls, arrays: dict[str, npt.NDArray[Any]]) -> "Sums":
        """The sum of these arrays."""
        return cls(arrays["places"], arrays["share"], arrays["mean"], float(arrays["rate"][0]))


def kernel(some: Floats, others: Floats, rate: float) -> Floats:
    """`exp(-rate d^2)`, `[some, others]`."""
    found: Floats = some @ others.T
    found *= -2
    found += np.einsum("ij,ij->i", some, some)[:, None]
    found += np.einsum("ij,ij->i", others, others)
    np.maximum(found, 0, out=found)
    found *= np.float32(-rate)
    np.exp(found, out=found)
    return found


def rate_of(ready: Floats, gamma: float, random: np.random.Generator) -> float:
    """`gamma` over the median of the squared distance of two cells, from many pairs if not all."""
    first, second = _pairs(len(ready), random)
    found = np.concatenate([
        np.square(ready[first[rows]] - ready[second[rows]]).sum(1)
        for rows in blocks(len(first), ready.shape[1])
    ] or [np.zeros(0)])  # fmt: skip
    median = float(np.median(found)) if len(found) else 0.0
    mean = float(found.mean()) if len(found) else 0.0
    # Half of the cells alike, up to rounding: the mean is still a distance.
    return gamma / (median if median > _ROUNDING * mean else mean or 1.0)


def _pairs(cells: int, random: np.random.Generator) -> tuple[Places, Places]:
    if cells * (cells - 1) // 2 <= _PAIRS:
        return np.triu_indices(cells, 1)
    first, second = random.integers(cells, size=(2, _PAIRS))
    apart = first != second
    return first[apart], second[apart]


def fit_sums(ready: Floats, labels: Floats, weights: Floats, settings: Settings, seed: int) -> Sums:
    """Learn from cells that all have a weight."""
    random = np.random.default_rng(seed)
    rate = rate_of(ready, settings.gamma, random)
    mean = np.average(labels, axis=0, weights=weights)
    if len(ready) <= settings.exact:
        square = kernel(ready, ready, rate).astype(np.float64)
        share = solve_exact(square, weights, settings.ridge, labels - mean)
        return _sums(ready, share, mean, rate)
    spread = Landmarks.among(ready, rate, settings.landmarks, random)
    gram, right = spread.sums(ready, labels - mean, weights)
    gram[np.diag_indices_from(gram)] += settings.ridge
    share = spread.turn @ cho_solve(cho_factor(gram, overwrite_a=True), right)
    return _sums(spread.places, share, mean, rate)


def _sums(places: Floats, share: Doubles, mean: Any, rate: float) -> Sums:
    # Laid out as they are read again: products of other layouts round differently.
    one, two, three = (np.ascontiguousarray(a, np.float32) for a in (places, share, mean))
    return Sums(one, two, three, rate)


def solve_exact(square: Doubles, weights: Floats, ridge: float, right: Any) -> Doubles:
    """`(K + ridge / weight)^-1 right`; `square` is overwritten."""
    square[np.diag_indices_from(square)] += ridge / weights.astype(np.float64)
    found: Doubles = cho_solve(cho_factor(square, lower=True, overwrite_a=True), right)
    return found


def inverse_of(square: Floats, weights: Floats, ridge: float) -> Doubles:
    """`(K + ridge / weight)^-1`, `[cell, cell]`."""
    whole = square.astype(np.float64)
    whole[np.diag_indices_from(whole)] += ridge / weights.astype(np.float64)
    factor, _ = cho_factor(whole, lower=True, overwrite_a=True)
    found, _ = dpotri(factor, lower=True, overwrite_c=True)
    # One triangle is filled; the other is its mirror.
    low = np.tril(found)
    low += np.tril(found, -1).T
    return np.asarray(low)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Some cells in place of all: cells become `[cell, direction]` with the kernel as product."""

    places: Floats
    turn: Doubles
    rate: float

    @classmethod
    def among(
        cls, ready: Floats, rate: float, count: int, random: np.random.Generator
    ) -> "Landmarks":
        """Cells drawn by chance."""
        chosen = np.sort(random.choice(len(ready), min(count, len(ready)), replace=False))
        places = ready[chosen]
        values, vectors = eigh(kernel(places, places, rate).astype(np.float64), overwrite_a=True)
        kept = values > _RANK * values[-1]
        return cls(places, vectors[:, kept] / np.sqrt(values[kept]), rate)

    @property
    def directions(self) -> int:
        """How many there are."""
        return int(self.turn.shape[1])

    def of(self, ready: Floats) -> Floats:
        """`[cell, direction]`."""
        found: Floats = kernel(ready, self.places, self.rate) @ self.turn.astype(np.float32)
        return found

    def sums(self, ready: Floats, labels: Any, weights: Floats) -> tuple[Doubles, Doubles]:
        """`[direction, direction]` products of all cells, and theirs with the labels."""
        size = self.directions
        gram, right = np.zeros((size, size)), np.zeros((size, labels.shape[1]))
        for rows in blocks(len(ready), len(self.places)):
            found = self.of(ready[rows])
            found *= np.sqrt(weights[rows])[:, None]
            # Single precision within a block and double between them: half the time.
            gram += found.T @ found
            right += found.T @ (labels[rows] * np.sqrt(weights[rows])[:, None]).astype(np.float32)
        return gram, right


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Rows in order, so many at a time that `width` numbers of each stay small."""
    step = max(1, _BLOCK // max(1, width))
    for begin in range(0, rows, step):
        yield slice(begin, min(rows, begin + step))
