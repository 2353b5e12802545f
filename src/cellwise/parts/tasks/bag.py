"""Learn from bags of cells: one field's cells together against the field's label.

The largest logit over the bag answers "does any cell show it?", the mean "do most?"; other ways to
pool are the noisy or (the field lacks a class only if each cell does) and attention by the cells'
own logits. A small term against labels of cells, where there are any, keeps single cells honest.

Source: the bags ("pseudo-3D") of the HPA 2021 system AllDataAreExt & Galixir: 16 cells, max and
mean pooling 4:1. The cell term is what its description promises and its code leaves out. The noisy
or as in Maron and Lozano-Perez 1998 (NIPS 10), attention as in Ilse et al. 2018 (arXiv 1802.04712).
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from cellwise.contracts.loss import Loss
from cellwise.contracts.task import Task, Truth, item_loss, label_weights, weighted_mean
from cellwise.errors import BadOption
from cellwise.parts.batches import bags

NEEDS = ("crops",)

_MAX, _MEAN = 4, 1
POOLS = ("max_mean", "noisy_or", "attention")
# Below any probability that a field lacks a class which float32 can tell from 1.
_LEAST = 1e-6


def build(
    cells: int = 16,
    per_site: int = 1,
    cell_weight: float = 0.1,
    level: str = "site",
    pool: str = "max_mean",
    size: int = 0,
) -> Task:
    """Make the task.

    Args:
        cells: Cells in a bag; a field with fewer gives some of them twice.
        per_site: Bags of each field in one epoch.
        cell_weight: Weight of the term against labels of cells; 0 leaves it out.
        level: What the cells of a bag have in common: `site`, `well`, `plate` or `experiment`.
        pool: `max_mean`, `noisy_or` or `attention`: how the cells answer for their field.
        size: Side in pixels that crops are made smaller to, so that networks of several sizes share
            the crops of one step; 0 takes them as they were cut.
    """
    if size < 0:
        raise BadOption(f"task bag: size is not negative, as {size} is.")
    if pool not in POOLS:
        raise BadOption(f"task bag: pool is one of {', '.join(POOLS)}, not {pool!r}.")
    if cell_weight < 0:
        raise BadOption(f"task bag: cell_weight is not negative, as {cell_weight} is.")

    def batch_loss(logits: Tensor, truth: Truth, loss: Loss) -> Tensor:
        field = bag_loss(logits, truth, loss, pool)
        if not cell_weight:
            return field
        return field + cell_weight * item_loss(logits, truth, loss)

    sampler = bags.build(cells, per_site, level)
    return Task("cell", size or None, "used" if cell_weight else "unused", sampler, batch_loss)


def bag_loss(logits: Tensor, truth: Truth, loss: Loss, pool: str = "max_mean") -> Tensor:
    """`(4 loss(max over cells) + loss(mean over cells)) / 5`, the weighted mean over bags.

    With another pool the loss of the one logit that it makes of a bag.
    """
    bagged = logits.view(len(truth.fields), -1, logits.shape[-1])
    if pool != "max_mean":
        values = loss(pooled(bagged, pool), truth.fields)
        return weighted_mean(values, label_weights(values, truth.fields, truth.class_weights))
    values = _MAX * loss(bagged.amax(1), truth.fields) + _MEAN * loss(bagged.mean(1), truth.fields)
    weights = label_weights(values, truth.fields, truth.class_weights)
    return weighted_mean(values / (_MAX + _MEAN), weights)


def pooled(logits: Tensor, pool: str) -> Tensor:
    """`[bag, class]` logits of `[bag, cell, class]`."""
    if pool == "attention":
        return (logits.softmax(1) * logits).sum(1)
    # log of the probability that no cell shows it; its odds as a logit, log(1 - p) - log(p).
    none = logsigmoid(-logits).sum(1).clamp(max=-_LEAST)
    return torch.log(-torch.expm1(none)) - none
