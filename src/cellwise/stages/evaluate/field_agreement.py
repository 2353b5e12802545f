"""Cells pooled to their field or well, so that weak labels can be compared with like.

In a weak run cells have no truth of their own; what can be checked out of fold is whether the cells
of a field together say what the field's label says.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats

POOLINGS = ("mean", "noisy_or", "max")

Pooler = Callable[..., Floats]


def build(pooling: str = "mean") -> Pooler:
    """Make `(chance, unit, *, count, negative) -> [unit, class]`.

    Args:
        pooling: `mean` of the cells' probabilities, `noisy_or` (`1 - prod(1 - p)`) or `max`.
    """
    if pooling not in POOLINGS:
        raise BadOption(f"evaluate: pooling is one of {POOLINGS}, not {pooling!r}.")

    def pool(
        chance: Floats, unit: npt.NDArray[np.int64], *, count: int, negative: int | None
    ) -> Floats:
        """Pool the cells of each unit.

        Args:
            chance: `[cell, class]` over all classes.
            unit: `[cell]`, number of the cell's field or well, 0..count-1.
            count: How many units; those without cells get NaN.
            negative: Column of the negative class, which is one minus the largest of the others
                after pooling; None where there is none.
        """
        found = np.full((count, chance.shape[1]), np.nan)
        if len(unit):
            order = np.argsort(unit, kind="stable")
            starts = np.flatnonzero(np.r_[True, np.diff(unit[order]) > 0])
            found[unit[order][starts]] = _pooled(chance[order], starts, pooling)
        if negative is not None:
            found[:, negative] = 1 - np.delete(found, negative, axis=1).max(axis=1, initial=0)
        return found

    return pool


def _pooled(chance: Floats, starts: npt.NDArray[np.int64], pooling: str) -> Floats:
    if pooling == "max":
        return np.asarray(np.maximum.reduceat(chance, starts, axis=0))
    if pooling == "noisy_or":
        # A cell that is sure leaves no doubt; the smallest float keeps the logarithm finite.
        doubt = np.log(np.maximum(1 - chance, np.finfo(np.float64).tiny))
        return np.asarray(-np.expm1(np.add.reduceat(doubt, starts, axis=0)))
    sizes = np.diff(np.r_[starts, len(chance)])[:, None]
    return np.asarray(np.add.reduceat(chance, starts, axis=0) / sizes)
