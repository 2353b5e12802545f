"""How a training runs, where it keeps its state, and what comes of it; not what is learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from cellwise.contracts.optimiser import MakeOptimiser
from cellwise.contracts.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of a training; with the lesson, all that the resulting weights depend on.

    Args:
        epochs: At most.
        learning_rate: What the schedule takes shares of.
        weight_decay: Pull of weights towards 0.
        optimiser: Makes what moves the weights.
        schedule: Share of the rate at each moment.
        seed: Root of all randomness.
        accumulate: Batches whose gradients are averaged before the weights move.
        average: In 0..1; above 0 the running average of the weights is judged and kept.
        keep: `best_cost`, `best_ap` or `last`: which epoch, where epochs are judged.
        not_finite: `stop` or `skip`, at a loss that is no number.
        clip: Longest gradient; 0 for no bound.
        patience: Epochs without improvement before it stops; 0 for never. Any part that epochs are
            judged by (a cell type) may improve.
        patient_above: Patience is doubled while the training loss is at least this; 0 for never.
        judge_weights: What cell types weigh where an epoch is judged; empty for their wells.
        keep_parts: Whether the best epoch's weights of each part are kept beside.
        average_from: Epochs from the beginning after which weights are averaged, epoch by epoch,
            and the mean is judged and kept, its batch statistics taken anew; 0 for never.
        precision: `fp32`, `bf16` or `fp16`.
        threads: Of torch on a processor.
        device: `cpu` or `cuda`.
        loaders: Processes that read and augment ahead; 0 for none. Of no influence on the weights.
        devices: Processes that share each batch, one for each device.
        advice: What to do about a loss that is no number, one sentence.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    optimiser: MakeOptimiser
    schedule: Schedule
    seed: int
    accumulate: int = 1
    average: float = 0.0
    keep: str = "best_cost"
    not_finite: str = "stop"
    clip: float = 1.0
    patience: int = 0
    patient_above: float = 0.0
    judge_weights: Mapping[str, float] = field(default_factory=dict)
    keep_parts: bool = False
    average_from: int = 0
    precision: str = "fp32"
    threads: int = 1
    device: str = "cpu"
    loaders: int = 0
    devices: int = 1
    advice: str = "Lower the learning rate."


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
        losses: Mean loss of every epoch.
        validation: What each epoch was judged by, less is better; empty where nothing was set
            aside.
        kept_epoch: The epoch, from 0, whose weights these are.
        skipped: Batches passed over because their loss was no number.
        parts: What each epoch was judged by in each part (cell type).
        best_of: The weights of the epoch that was best for each part, where they are kept, with
            the epoch.
    """

    weights: dict[str, npt.NDArray[Any]]
    losses: tuple[float, ...]
    validation: tuple[float, ...]
    kept_epoch: int
    skipped: int = 0
    parts: tuple[Mapping[str, float], ...] = ()
    best_of: Mapping[str, tuple[int, dict[str, npt.NDArray[Any]]]] = field(default_factory=dict)
