"""What one training learns from and how: the items with their labels, and the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.augmentation import Change
from cellwise.contracts.batch import Pool
from cellwise.contracts.loss import Loss
from cellwise.contracts.optimiser import MakeOptimiser
from cellwise.contracts.schedule import Schedule
from cellwise.contracts.task import Task
from cellwise.parts.normalise import Normalisation

Floats = npt.NDArray[np.float32]
Read = Callable[[npt.NDArray[np.int64]], Floats]

_LEAST, _MOST = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class Material:
    """The items of one training.

    Args:
        pool: The field of each item.
        targets: `[item, class]` in 0..1, each item's own label.
        weights: `[item]`, how much that label counts; all 0 where items have no label of their own.
        fields: `[item, class]`, the labels of each item's field.
        read: Positions in the pool to pixels in 0..1, `[n, channel, y, x]`, or to vectors
            `[n, number]`.
    """

    pool: Pool
    targets: Floats
    weights: Floats
    fields: Floats
    read: Read

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Material":
        """Only the chosen items."""
        places = np.flatnonzero(chosen)
        return Material(
            Pool(self.pool.site[places]),
            self.targets[places],
            self.weights[places],
            self.fields[places],
            lambda positions: self.read(places[positions]),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; everything that the resulting weights depend on beside the material."""

    task: Task
    loss: Loss
    augment: tuple[Change, ...]
    normalisation: Normalisation
    balance: Floats
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    optimiser: MakeOptimiser
    schedule: Schedule
    accumulate: int
    average: float
    keep: str
    not_finite: str
    clip: float
    patience: int
    precision: str
    threads: int
    device: str
    seed: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where checkpoints lie, and what is told of progress: `(batches done, note)`."""

    folder: Path
    progress: Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome.

    Args:
        weights: By name.
        losses: Mean cost of every epoch.
        validation: What each epoch was judged by, less is better; empty where nothing was set
            aside. kept_epoch: The epoch, from 0, whose weights these are. skipped: Batches passed
            over because their cost was no number.
    """

    weights: dict[str, npt.NDArray[Any]]
    losses: tuple[float, ...]
    validation: tuple[float, ...]
    kept_epoch: int
    skipped: int = 0


def of_cells(cells: pl.DataFrame, fields: Floats, read: Read) -> Material:
    """Items that are cells.

    Args:
        cells: Columns `place` of the field, `label` and `weight`, null where a cell has none.
        fields: `[site, class]`, the labels of the fields.
        read: Positions in `cells` to what a network is shown.
    """
    site = cells["place"].to_numpy().astype(np.int64)
    known = cells["label"].is_not_null().to_numpy()
    targets = fields[site].copy()
    if known.any():
        given = cells["label"].filter(pl.Series(known)).to_list()
        targets[known] = np.array(given, np.float32)
    weights = np.where(known, cells["weight"].fill_null(0).to_numpy(), 0).astype(np.float32)
    return Material(Pool(site), targets, weights, fields[site], read)


def balance_of(material: Material, how: str) -> Floats:
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
