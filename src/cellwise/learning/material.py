"""Items with labels, and how they are learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.augmentation import Change
from cellwise.contracts.batch import Pool
from cellwise.contracts.loss import Loss
from cellwise.contracts.task import Task
from cellwise.domain.held_out import folds_left_out, label_without
from cellwise.parts.normalise import Normalisation

Floats = npt.NDArray[np.float32]
Read = Callable[[npt.NDArray[np.int64]], Floats]
# (positions, [n, 2] upper left corners in y and x, side) -> pieces [n, channel, side, side].
Cut = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64], int], Floats]

_LEAST, _MOST = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class Material:
    """The items of one training.

    Args:
        pool: The field of each item.
        targets: `[item, class]` in 0..1, each item's own label.
        weights: `[item]`, how much that label counts; all 0 where items have no label of their own.
        fields: `[item, class]`, the labels of each item's field.
        read: Positions in the pool to items, float32 `[n, ...]`: pixels in 0..1
            `[n, channel, y, x]`, or vectors `[n, feature]`. May be called in another process.
        without: Of a fold, labels like `targets` that its fields took no part in, NaN in its own
            rows and where none was made; empty where labels are the same whatever is left out.
        cut: Reads a piece of each item only; None where items are read whole.
        covariates: `[item, covariate]`, numbers that the network is given beside the pixels; None
            for none.
    """

    pool: Pool
    targets: Floats
    weights: Floats
    fields: Floats
    read: Read
    without: Mapping[int, Floats] = field(default_factory=dict)
    cut: Cut | None = None
    covariates: Floats | None = None

    def leaving_out(self, fold: int | None) -> "Material":
        """The items with the labels that a model without this fold may learn from."""
        if fold is None or fold not in self.without:
            return self
        return replace(self, targets=self.without[fold], without={})

    def labelled(self) -> npt.NDArray[np.bool_]:
        """`[item]`: whether the item has a label; without a fold some may have none."""
        return np.asarray(~np.isnan(self.targets).any(axis=1))

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Material":
        """Only the chosen items."""
        return self.at(np.flatnonzero(chosen))

    def at(self, places: npt.NDArray[np.int64]) -> "Material":
        """The items at these places; one may come several times."""
        cut = self.cut
        return Material(
            self.pool.part(places),
            self.targets[places],
            self.weights[places],
            self.fields[places],
            lambda positions: self.read(places[positions]),
            {fold: labels[places] for fold, labels in self.without.items()},
            None if cut is None else lambda at, corners, side: cut(places[at], corners, side),
            None if self.covariates is None else self.covariates[places],
        )

    def read_tiles(
        self, positions: npt.NDArray[np.int64], corners: npt.NDArray[np.int64], side: int
    ) -> Floats:
        """A piece `[n, channel, side, side]` of each item, whose upper left corner is given."""
        if self.cut is not None:
            return self.cut(positions, corners, side)
        whole = self.read(positions)
        return np.stack(
            [
                item[:, y : y + side, x : x + side]
                for item, (y, x) in zip(whole, corners.tolist(), strict=True)
            ]
        )


@dataclass(frozen=True, slots=True)
class Method:
    """How items with labels are learned.

    Args:
        task: Which items meet, and the loss of their logits.
        loss: What the task counts with.
        augment: Changes of items and labels, in order.
        normalisation: How the network wants its items.
        class_weights: `[2, class]`, the weights of absent and of present labels.
        batch: Items, bags or fields in one step.
        second: The loss of the cosines of a second head, and what both losses weigh; None for
            networks of one.
        columns: Places of the classes that are taught; empty for all.
    """

    task: Task
    loss: Loss
    augment: tuple[Change, ...]
    normalisation: Normalisation
    class_weights: Floats
    batch: int
    second: tuple[Loss, tuple[float, float]] | None = None
    columns: tuple[int, ...] = ()

    def taught(self, values: Any) -> Any:
        """`[..., class]` with the classes that are taught, all where none is named."""
        return values[..., list(self.columns)] if self.columns else values


def of_cells(cells: pl.DataFrame, fields: Floats, read: Read) -> Material:
    """Items that are cells.

    Args:
        cells: Columns `place` of the field, `label` and `weight`, null where a cell has none; maybe
            those of `domain.held_out`.
        fields: `[site, class]`, the labels of the fields.
        read: Positions in `cells` to what a network is shown.
    """
    site = cells["place"].to_numpy().astype(np.int64)
    known = cells["label"].is_not_null().to_numpy()
    targets = _labels(cells["label"], fields[site])
    weights = np.where(known, cells["weight"].fill_null(0).to_numpy(), 0).astype(np.float32)
    without = {
        # NaN, so that a model which learned from a cell of the fold it leaves out would show it.
        fold: _labels(
            cells[label_without(fold)], np.where(known[:, None], np.nan, targets).astype(np.float32)
        )
        for fold in folds_left_out(cells.columns)
    }
    return Material(Pool(site), targets, weights, fields[site], read, without)


def _labels(given: pl.Series, others: Floats) -> Floats:
    """`[cell, class]`: what is given, and those of `others` where it is null."""
    known = given.is_not_null().to_numpy()
    found = others.copy()
    if known.any():
        # Not through lists: half a billion numbers of many cells and classes are 16 GiB as objects.
        some = given.filter(pl.Series(known))
        found[known] = some.explode().to_numpy().reshape(len(some), -1)
    return found


def class_weights_of(material: Material, how: str) -> Floats:
    """`[2, class]`: the weights of absent and of present labels.

    `even` gives both sides of each class the same total weight, within a factor of ten; `none`
    weighs every label 1. A class that has only one side keeps 1.
    """
    classes = material.targets.shape[1]
    result = np.ones((2, classes), np.float32)
    if how == "none":
        return result
    labelled = bool(material.weights.sum() > 0)
    targets = material.targets if labelled else material.fields
    weights = material.weights if labelled else np.ones(len(targets), np.float32)
    share = np.average(targets.astype(np.float64), axis=0, weights=weights)
    mixed = (share > 0) & (share < 1)
    result[0, mixed] = 0.5 / (1 - share[mixed])
    result[1, mixed] = 0.5 / share[mixed]
    return np.clip(result, _LEAST, _MOST)
