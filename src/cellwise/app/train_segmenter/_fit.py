"""What the small network learns: pieces of annotated images, drawn anew in every batch.

Which pieces are drawn and how they are changed follows from (seed, epoch, batch) alone. Each folder
of images gives an equal share of the pieces, however many images it holds.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cellwise.app.train_segmenter.augment import Example, draw_example
from cellwise.app.train_segmenter.data import PreparedImage
from cellwise.contracts.batch import Positions
from cellwise.learning.lesson import Ask, Lesson, Turn
from cellwise.learning.plan import Plan
from cellwise.parts.optimisers import adamw
from cellwise.parts.schedules import one_cycle

# Batches of an epoch: between two checkpoints.
STEPS = 100
_WEIGHT_DECAY = 1e-3


def make_plan(epochs: int, learning_rate: float, *, seed: int, threads: int, device: str) -> Plan:
    """How the small network is trained: rounds of `STEPS` batches, one rise and fall of the rate.

    Args:
        epochs: Rounds.
        learning_rate: At its highest.
        seed: Root of all randomness.
        threads: Of torch on a processor.
        device: `cpu` or `cuda`.
    """
    return Plan(
        epochs,
        learning_rate,
        _WEIGHT_DECAY,
        adamw.build(),
        one_cycle.build(),
        seed,
        threads=threads,
        device=device,
        advice="Start again from other weights or with another --seed.",
    )


def make_lesson(by_folder: Sequence[Sequence[PreparedImage]], *, batch: int, seed: int) -> Lesson:
    """Pieces of annotated images, against their maps.

    Args:
        by_folder: Images by folder they came from, none empty.
        batch: Pieces in a batch.
        seed: Root of all randomness.
    """

    def order(epoch: int) -> list[Positions]:
        return [np.arange(batch)] * STEPS

    def draw(turn: Turn) -> tuple[Tensor, ...]:
        drawn = draw_batch(by_folder, batch, (seed, turn.epoch, turn.number))
        arrays = (drawn.planes, drawn.targets, drawn.weights)
        return tuple(torch.from_numpy(array) for array in arrays)

    def batch_loss(ask: Ask, drawn: tuple[Tensor, ...], turn: Turn, done: float) -> Tensor:
        planes, targets, weights = drawn
        return cost_of(ask(planes, None).class_map, targets, weights)

    return Lesson(order, draw, batch_loss)


def draw_batch(
    by_folder: Sequence[Sequence[PreparedImage]], batch: int, when: tuple[int, int, int]
) -> Example:
    """The `batch` examples of batch `when = (seed, epoch, number)`, stacked."""
    drawn = []
    for item in range(batch):
        rng = np.random.default_rng((*when, item))
        image, other = (_drawn_from(by_folder, rng) for _ in range(2))
        drawn.append(draw_example(image, rng, other))
    return Example(
        np.stack([one.planes for one in drawn]),
        np.stack([one.targets for one in drawn]),
        np.stack([one.weights for one in drawn]),
    )


def _drawn_from(
    by_folder: Sequence[Sequence[PreparedImage]], rng: np.random.Generator
) -> PreparedImage:
    drawn_folder = by_folder[int(rng.integers(len(by_folder)))]
    return drawn_folder[int(rng.integers(len(drawn_folder)))]


def cost_of(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean binary cross-entropy of the pixels and maps that count, nuclei and cells apart."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    parts = [
        (each[:, maps] * weights[:, maps]).sum() / weights[:, maps].sum().clamp(min=1)
        for maps in (slice(0, 3), slice(3, 6))
    ]
    return parts[0] + parts[1]
