"""Vectors made ready to learn from: numbers standardised, and cells that lack some of them.

Numbers are standardised by mean and deviation of the training cells, less than a deviation of five
either way; one that is the same in all of them is left out. A cell thousands of times farther off
than others, as where a measurement failed, has no part in mean and deviation. A cell that lacks few
numbers is given their means. One that lacks more, such as a cell without a nucleus in view, is
judged by a model of its own that learns from the numbers that such cells have, of all cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.learner import Arrays, Floats
from cellwise.errors import PreflightError
from cellwise.kernels.far.values import chunks, without_far

Flags = npt.NDArray[np.bool_]

_CLIP = 5.0
# Share of its numbers that a cell may lack and still be given their means.
_FEW = 0.1
# Share of the cells that has a number which counts as held by them.
_HELD = 0.9
# Fewer cells that lack numbers get no model of their own.
_ENOUGH = 20
# Spread of a number, as a share of its size, that is mere rounding of single precision.
_ROUNDING = 1e-6
_PARTS = ("columns", "mean", "scale", "weight")


@dataclass(frozen=True, slots=True)
class View:
    """Some of the numbers, standardised.

    Args:
        columns: Which ones.
        mean: Their means.
        scale: Their deviations.
        weight: What each counts, None where all count alike.
    """

    columns: npt.NDArray[np.int64]
    mean: Floats
    scale: Floats
    weight: Floats | None = None

    def of(self, vectors: Floats) -> Floats:
        """`[cell, number]` standardised; a number that is missing lies at its mean."""
        ready: Floats = vectors[:, self.columns].astype(np.float32, copy=False)
        ready -= self.mean
        ready /= self.scale
        np.clip(ready, -_CLIP, _CLIP, out=ready)
        if self.weight is not None:
            ready *= self.weight
        return np.nan_to_num(ready, copy=False, nan=0.0)

    def lacking(self, vectors: Floats) -> Flags:
        """Which cells lack more of the numbers than can be made up for."""
        few = _FEW * len(self.columns)
        parts = [np.isnan(some[:, self.columns]).sum(1) > few for some in chunks(vectors)]
        return np.concatenate(parts) if parts else np.zeros(0, bool)


@dataclass(frozen=True, slots=True)
class Views:
    """All numbers and, where many cells lack some, those that such cells have."""

    full: View
    common: View | None = None

    def parts(self, vectors: Floats) -> list[tuple[View, Flags]]:
        """Each view with the cells that are judged by it."""
        if self.common is None:
            return [(self.full, np.ones(len(vectors), bool))]
        lacking = self.full.lacking(vectors)
        return [(self.full, ~lacking), (self.common, lacking)]

    def taught(self, vectors: Floats) -> list[tuple[View, Flags]]:
        """Each view with the cells that it is learned from."""
        judged = self.parts(vectors)
        return [judged[0], *((view, np.ones(len(vectors), bool)) for view, _ in judged[1:])]

    def arrays(self) -> Arrays:
        """All of it, by name."""
        named = {"full": self.full} | ({} if self.common is None else {"common": self.common})
        return {
            f"{name}.{part}": getattr(view, part)
            for name, view in named.items()
            for part in _PARTS
            if getattr(view, part) is not None
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Views":
        """The views of these arrays."""
        views = [
            View(*(arrays.get(f"{name}.{part}") for part in _PARTS))  # type: ignore[arg-type]
            for name in ("full", "common")
            if f"{name}.columns" in arrays
        ]
        return cls(*views)


def views_of(vectors: Floats, blocks: Sequence[int] = ()) -> Views:
    """The views that training cells ask for.

    Args:
        vectors: `[cell, number]`.
        blocks: How many numbers belong to each part that vectors are put together of, in order;
            each part counts as much as any other. None where all numbers count alike.

    Raises:
        PreflightError: No number tells any two of the cells apart.
    """
    if blocks and sum(blocks) != vectors.shape[1]:
        raise ValueError(f"Blocks {tuple(blocks)} are not the {vectors.shape[1]} numbers.")
    every = np.arange(vectors.shape[1])
    full = _view(vectors, every, blocks)
    if not len(full.columns):
        raise PreflightError(
            f"The vectors of all {len(vectors):,} cells are alike: there is nothing to learn from."
        )
    lacking = full.lacking(vectors)
    few = min(int(lacking.sum()), int((~lacking).sum()))
    if few < _ENOUGH:
        return Views(full)
    held = [1 - np.isnan(vectors[rows][:, full.columns]).mean(0) for rows in (lacking, ~lacking)]
    kept = full.columns[(held[0] >= _HELD) & (held[1] >= _HELD)]
    common = _view(vectors, kept, blocks)
    if len(common.columns) < _FEW * len(full.columns):
        return Views(full)
    return Views(_view(vectors[~lacking], full.columns, blocks), common)


def class_shares(ready: Floats, labels: Floats, weights: Floats) -> Floats:
    """Weight of each number: the root of the share of its variance that lies between classes.

    Soft labels count by their size; the mean square of the weights is 1, and all are 1 where no
    number differs between classes.

    Args:
        ready: `[cell, number]`, standardised.
        labels: `[cell, class]` in 0..1.
        weights: `[cell]`, at least 0.
    """
    mass = (labels * weights[:, None]).astype(np.float64)
    # One cell more in each class: few cells differ by chance.
    count = mass.sum(0) + 1
    total = float(weights.sum())
    mean = (weights @ ready) / total
    spread = (weights @ np.square(ready)) / total - mean**2
    of_class = (mass.T @ ready + mean) / count[:, None]
    between = (np.square(of_class - mean) * count[:, None]).sum(0) / total
    share = np.clip(between / (spread + 1e-6), 0, 1)
    if not share.any():
        return np.ones(ready.shape[1], np.float32)
    found: Floats = np.sqrt(share / share.mean()).astype(np.float32)
    return found


def _view(vectors: Floats, columns: npt.NDArray[np.int64], blocks: Sequence[int]) -> View:
    """Those of the columns that differ between the cells."""
    count = np.zeros(len(columns))
    total = np.zeros(len(columns))
    for some in chunks(vectors):
        chosen = some[:, columns].astype(np.float64)
        count += (~np.isnan(chosen)).sum(0)
        total += np.nansum(chosen, 0)
    mean = total / np.maximum(count, 1)
    squares = np.zeros(len(columns))
    for some in chunks(vectors):
        squares += np.nansum(np.square(some[:, columns] - mean), 0)
    scale = np.sqrt(squares / np.maximum(count, 1))
    without_far(vectors, columns, mean, scale)
    kept = scale > _ROUNDING * np.abs(mean)
    return View(
        columns[kept],
        mean[kept].astype(np.float32),
        scale[kept].astype(np.float32),
        _block_weights(columns[kept], blocks),
    )


def _block_weights(columns: npt.NDArray[np.int64], blocks: Sequence[int]) -> Floats | None:
    """Weights whose squares add to the same in each block that has numbers, and to 1 on average."""
    if len(blocks) < 2 or not len(columns):
        return None
    of = np.repeat(np.arange(len(blocks)), blocks)[columns]
    count = np.bincount(of, minlength=len(blocks))
    found: Floats = np.sqrt(len(columns) / ((count > 0).sum() * count[of])).astype(np.float32)
    return found
