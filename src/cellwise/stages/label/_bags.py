"""The cells of labelled fields as arrays: what a labeller is given and gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

INHERITED = "inherited"
SUPPORTED = "supported"
UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class Bags:
    """Cells with the labels of their fields; classes are the positive ones, in order.

    Args:
        site: `[cell]`, index of the cell's field in `field_labels`.
        field_labels: `[site, class]`; a row without True is a Negative field.
        scores: `[cell, class]` out-of-fold logits, NaN in rows of cells without; None where the
            labeller needs none.
        border: `[cell]`, whether the cell touches the edge of the picture.
        tiny: `[cell]`, whether the cell is too small to be believed.
    """

    site: npt.NDArray[np.int64]
    field_labels: Flags
    scores: Floats | None
    border: Flags
    tiny: Flags

    @property
    def inherited(self) -> Floats:
        """`[cell, class]`: 1 where the cell's field carries the class."""
        return self.field_labels[self.site].astype(np.float32)


@dataclass(frozen=True, slots=True)
class CellLabels:
    """Soft labels of cells.

    Args:
        label: `[cell, class]` in 0..1; all zero means Negative.
        weight: `[cell]`, how much the cell counts in training, at least 0.
        reason: `[cell]`, a short word that says where the label comes from.
    """

    label: Floats
    weight: Floats
    reason: tuple[str, ...]


Labeller = Callable[[Bags], CellLabels]


def weights(bags: Bags, *, border: float, tiny: float) -> Floats:
    """`[cell]`: 1, times `border` for cells at the edge, times `tiny` for tiny cells."""
    weight = np.where(bags.border, border, 1.0) * np.where(bags.tiny, tiny, 1.0)
    return weight.astype(np.float32)


def bag_maximum(values: Floats, site: npt.NDArray[np.int64], *, sites: int) -> Floats:
    """`[site, class]`: the largest value among a field's cells, 0 for a field without cells."""
    highest = np.zeros((sites, values.shape[1]), np.float32)
    if not len(site):
        return highest
    order = np.argsort(site, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(site[order]) > 0])
    highest[site[order][starts]] = np.maximum.reduceat(values[order], starts, axis=0)
    return highest
