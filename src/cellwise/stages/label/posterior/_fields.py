"""Fields with their labels, ready for rounds: who lies where, and which labels go together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Flags, Floats
from cellwise.measures.weighted import Share

Floats64 = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Labels `[cell, class]` to what cells of other groups make of them, `[cell, class]` in 0..1.
Smooth = Callable[[Floats], Floats]

# How much more alike sets of labels count: e ** 6 where all other labels are equal.
_SHARPNESS = 6.0
# What is left of equal labels less their mean.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Told:
    """What judged cells of a random draw tell of all cells.

    Args:
        shown: `[class]` in 0..1, the share of cells of its fields that show the class.
        missed: `[class]`, at least 0: the share of cells that show the class though their field
            lacks it, as a multiple of how often fields with like labels have it (`company`).
        none: Share of cells that show no class.
        false_of: Of each class, the share of cells of its fields that does not show it.
        missed_of: Of each class, the share of cells showing it whose field lacks it.
        of_all: The same of all classes together, and of cells that show none.
    """

    shown: "Floats64"
    missed: "Floats64"
    none: float
    false_of: Sequence[Share]
    missed_of: Sequence[Share]
    of_all: Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class Fields:
    """Cells that are judged together, with the labels of their field.

    Args:
        field: `[cell]`, the field of each cell, 0..; rows in rising order of the field.
        given: `[field, class]`, the labels; a field without one is Negative.
        verdict: `[cell, class]`, 1 where a person saw the class, 0 where a person refused it, NaN
            elsewhere; None where nobody looked.
        told: What cells drawn at random tell of all; None where too few were judged.
    """

    field: Numbers
    given: Flags
    verdict: Floats | None = None
    told: Told | None = None

    @property
    def starts(self) -> Numbers:
        """First cell of each field that has cells."""
        return np.flatnonzero(np.r_[True, np.diff(self.field) > 0]) if len(self.field) else _NONE

    @property
    def own(self) -> Flags:
        """`[cell, class]`: the labels of the cell's field."""
        return self.given[self.field]

    def judged(self, labels: Floats64) -> Floats64:
        """`[cell, class]`: labels with what people saw in place of them."""
        if self.verdict is None:
            return labels
        return np.where(np.isfinite(self.verdict), self.verdict, labels)

    def even(self) -> Floats64:
        """`[cell, class]`: each cell shows one label of its field, all alike."""
        own = self.own.astype(np.float64)
        return np.asarray(own / np.maximum(own.sum(1, keepdims=True), 1))

    def sums(self, values: Floats64) -> Floats64:
        """`[field, ...]`: sums over the cells of each field."""
        total = np.zeros((len(self.given), *values.shape[1:]))
        if len(self.field):
            total[self.field[self.starts]] = np.add.reduceat(values, self.starts, axis=0)
        return total

    def alike(self, one: Floats64, other: Floats64) -> Floats64:
        """`[class]` in -1..1: how alike both rank cells within the fields that have the class.

        Pearson's correlation of the two, each less its mean over the field's cells. NaN where one
        of them tells no cell of a field from another, or no field has the class.
        """
        own = self.own
        cells = np.maximum(self.sums(np.ones((len(self.field), 1))), 1)
        first, second = (
            np.where(own, each - (self.sums(each) / cells)[self.field], 0) for each in (one, other)
        )
        size = np.sqrt((first**2).sum(0) * (second**2).sum(0))
        told = size > _ROUNDING
        return np.where(told, (first * second).sum(0) / np.where(told, size, 1), np.nan)

    def best(self, values: Floats64) -> Floats64:
        """`[field, ...]`: the largest value among the cells of each field, 0 without cells."""
        highest = np.zeros((len(self.given), *values.shape[1:]))
        if len(self.field):
            highest[self.field[self.starts]] = np.maximum.reduceat(values, self.starts, axis=0)
        return highest


_NONE = np.zeros(0, np.int64)


def company(given: Flags) -> Floats64:
    """`[field, class]`: how often fields whose other labels are alike have the class.

    Each other field counts by `exp(6 J)`, J being the Jaccard index of the two sets without the
    class; one field more has the class as often as all do.

    Source: measured features with a posterior, on label sets of one protein's samples.
    """
    sets, place, count = np.unique(given, axis=0, return_inverse=True, return_counts=True)
    place = place.reshape(-1)
    labels = sets.astype(np.float64)
    share = (count @ labels) / max(len(given), 1)
    both = labels @ labels.T
    size = labels.sum(1)
    found = np.zeros_like(labels)
    for k in range(labels.shape[1]):
        own = labels[:, k]
        common = both - np.outer(own, own)
        union = (size - own)[:, None] + (size - own)[None] - common
        weight = np.exp(_SHARPNESS * common / np.maximum(union, 1)) * count[None]
        # A field says nothing of itself.
        np.fill_diagonal(weight, weight.diagonal() / count * (count - 1))
        found[:, k] = (weight @ own + share[k]) / (weight.sum(1) + 1)
    return found[place]
