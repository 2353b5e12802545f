"""What a task is: which items meet, and what one batch of logits costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from cellwise.parts.batches._pool import Sampler
from cellwise.parts.losses._checks import Loss


@dataclass(frozen=True, slots=True)
class Truth:
    """What the items of one batch should say.

    Args:
        targets: `[item, class]` in 0..1, the label of each item itself.
        weights: `[item]`, how much each item's own label counts.
        fields: `[bag, class]`, the labels of the fields that the bags come from.
        balance: `[2, class]`, the weight of an absent and of a present label.
    """

    targets: Tensor
    weights: Tensor
    fields: Tensor
    balance: Tensor


# (logits [item, class], truth, loss) -> the cost of the batch, one number.
Cost = Callable[[Tensor, Truth, Loss], Tensor]


@dataclass(frozen=True, slots=True)
class Task:
    """One way to learn.

    Args:
        unit: What an item is: a crop of a `cell`, or a whole `site`.
        size: Side in pixels that fields are resized to; None for crops, which come as they are.
        cell_labels: Whether labels of cells are needed, used if there, or of no use.
        sampler: Which items meet in a batch.
        cost: What a batch costs.
    """

    unit: Literal["cell", "site"]
    size: int | None
    cell_labels: Literal["needed", "used", "unused"]
    sampler: Sampler
    cost: Cost


def balanced(targets: Tensor, balance: Tensor) -> Tensor:
    """The weight of each label; soft targets take their share of both weights."""
    return balance[0] * (1 - targets) + balance[1] * targets


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of `values` under `weights` of the same shape; 0 where all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-8)


def item_cost(logits: Tensor, truth: Truth, loss: Loss) -> Tensor:
    """The weighted mean over items and classes of the loss against the items' own labels."""
    weights = truth.weights[:, None] * balanced(truth.targets, truth.balance)
    return weighted_mean(loss(logits, truth.targets), weights)
