"""What a task is: which items meet, and the loss of one batch of logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cellwise.contracts.batch import Sampler
from cellwise.contracts.loss import Loss
from cellwise.contracts.network import Asked, Output


@dataclass(frozen=True, slots=True)
class Truth:
    """What the items of one batch should say.

    Args:
        targets: `[item, class]` in 0..1, the label of each item itself.
        weights: `[item]`, how much each item's own label counts.
        fields: `[bag, class]`, the labels of the fields that the bags come from.
        class_weights: `[2, class]`, the weight of an absent and of a present label.
    """

    targets: Tensor
    weights: Tensor
    fields: Tensor
    class_weights: Tensor


# (logits [item, class], truth, loss) -> the loss of the batch, one number.
BatchLoss = Callable[[Tensor, Truth, Loss], Tensor]
# (augmented items, such as pixels [item, channel, y, x]; what is asked) -> what the network, with
# its normalisation, says of them.
Forward = Callable[[Tensor, Asked], Output]
# (forward, pixels, truth, loss, share of the epochs done in 0..1) -> the loss of the batch, for
# tasks that pass an image through the network more than once.
Objective = Callable[[Forward, Tensor, Truth, Loss, float], Tensor]


@dataclass(frozen=True, slots=True)
class Task:
    """One way to learn.

    Args:
        unit: What an item is: a crop of a `cell`, or a whole `site`.
        size: Side in pixels that fields are resized to, or crops are made smaller to; None for
            crops that are taken as they were cut.
        cell_labels: Whether labels of cells are needed, used if there, or of no use.
        sampler: Which items meet in a batch.
        batch_loss: The loss of a batch from its logits.
        objective: The loss of a batch while training, where that takes more than one pass through
            the network; epochs are judged by `batch_loss` all the same.
        items: What the network is shown: `pixels`, or `vectors` of an embed step.
        tile: Side in pixels of the tiles that sites are cut into: one of each, drawn by chance, is
            seen in an epoch, and all where a site is judged. 0 for sites that are seen whole.
    """

    unit: Literal["cell", "site"]
    size: int | None
    cell_labels: Literal["needed", "used", "unused"]
    sampler: Sampler
    batch_loss: BatchLoss
    objective: Objective | None = None
    items: Literal["pixels", "vectors"] = "pixels"
    tile: int = 0


def balanced(targets: Tensor, class_weights: Tensor) -> Tensor:
    """The weight of each label; soft targets take their share of both weights."""
    return class_weights[0] * (1 - targets) + class_weights[1] * targets


def label_weights(values: Tensor, targets: Tensor, class_weights: Tensor) -> Tensor:
    """The weight of each of the numbers that a loss gave, in their shape.

    Where there is one number per label, present and absent labels are balanced. Where there is one
    per item, the weights of present labels are those of classes (inverse to their frequency), and
    an item weighs the mean over its labels; one without any weighs as much as an average class.
    """
    if values.ndim == 2:
        return balanced(targets, class_weights)
    total = targets.sum(1)
    of_labels = (targets * class_weights[1]).sum(1) / total.clamp_min(1e-8)
    return torch.where(total > 0, of_labels, class_weights[1].mean())


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of `values` under `weights` of the same shape; 0 where all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-8)


def item_loss(logits: Tensor, truth: Truth, loss: Loss) -> Tensor:
    """The weighted mean of the loss against the items' own labels."""
    values = loss(logits, truth.targets)
    weights = label_weights(values, truth.targets, truth.class_weights)
    own = truth.weights if values.ndim == 1 else truth.weights[:, None]
    return weighted_mean(values, own * weights)
