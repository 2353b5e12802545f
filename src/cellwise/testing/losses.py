"""Checks of what is learned from: losses and tasks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.batch import Pool, When
from cellwise.contracts.loss import ForGroups, Loss, bound_loss
from cellwise.contracts.network import Asked, Output
from cellwise.contracts.task import Task, Truth
from cellwise.testing._component import Component

_ITEMS, _CLASSES = 6, 3
# Two classes of one group of plates, and one of none.
_GROUPS = (0, 0, -1)
_EXTREME = 60.0


def check_loss(build: Callable[..., Loss | ForGroups], **options: Any) -> None:
    """Check a loss: shapes, finite values and gradients, no memory, no order, and less is better.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("loss", build, options)
    loss = bound_loss(part.make(), _GROUPS)
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(_ITEMS, _CLASSES, generator=draw)
    hard = (torch.rand(_ITEMS, _CLASSES, generator=draw) < 0.5).float()
    soft = torch.rand(_ITEMS, _CLASSES, generator=draw)
    none, every = torch.zeros_like(hard), torch.ones_like(hard)
    for targets in (hard, soft, none, every):
        _check_values(part, loss, logits, targets)
        _check_values(part, loss, logits[:1], targets[:1])
        for signs in (targets * 2 - 1, 1 - targets * 2):
            _check_values(part, loss, signs * _EXTREME, targets)
    before = logits.clone(), hard.clone()
    first, again = loss(logits, hard), loss(logits, hard)
    untouched = torch.equal(before[0], logits) and torch.equal(before[1], hard)
    part.need(untouched, "what it is given stays as it is", "logits or targets were written to")
    part.need_equal(first, again, "the same batch has the same loss")
    order = torch.randperm(_ITEMS, generator=draw)
    rule = "the order of the items is of no influence"
    part.need_equal(loss(logits[order], hard[order]), first[order], rule)
    start, end = float(first.sum()), float(loss(logits + hard - 0.5, hard).sum())
    part.need(end < start, "logits nearer to their labels have less loss", f"{start}, then {end}")


def _check_values(part: Component, loss: Loss, logits: Tensor, targets: Tensor) -> None:
    known = logits.clone().requires_grad_()
    values = loss(known, targets)
    shapes = (tuple(logits.shape), (len(logits),))
    rule = f"it gives a number per label {shapes[0]} or per item {shapes[1]}"
    part.need(isinstance(values, Tensor), rule, type(values).__name__)
    part.need(tuple(values.shape) in shapes, rule, f"shape {tuple(values.shape)}")
    part.need(values.dtype == logits.dtype, "it keeps the precision", values.dtype)
    part.need_finite(values.detach(), "its values")
    part.need(values.requires_grad, "it can be learned from", "values without a gradient")
    (slope,) = torch.autograd.grad(values.sum(), known)
    part.need_finite(slope, "its gradients")


def check_task(build: Callable[..., Task], **options: Any) -> None:
    """Check a task: its sampler, and that the loss of a batch is one number with a gradient.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("task", build, options)
    task = part.make(Task)
    part.need(task.unit in ("cell", "site"), "its unit is 'cell' or 'site'", repr(task.unit))
    uses = ("needed", "used", "unused")
    part.need(task.cell_labels in uses, f"cell_labels is one of {uses}", repr(task.cell_labels))
    pool = Pool(np.repeat(np.arange(5), 4) if task.unit == "cell" else np.arange(20))
    positions = task.sampler(pool, 4, When(0, 0))[0]
    count, bags = positions.size, len(positions)
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(count, _CLASSES, generator=draw, requires_grad=True)
    truth = Truth(
        (torch.rand(count, _CLASSES, generator=draw) < 0.5).float(),
        torch.ones(count),
        (torch.rand(bags, _CLASSES, generator=draw) < 0.5).float(),
        torch.ones(2, _CLASSES),
    )
    value = task.batch_loss(logits, truth, _squares)
    part.need(
        value.ndim == 0,
        "the loss of a batch is one number",
        f"shape {tuple(value.shape)}",
    )
    part.need_finite(value.detach(), "its loss")
    part.need(value.requires_grad, "it can be learned from", "a loss without a gradient")
    (slope,) = torch.autograd.grad(value, logits)
    part.need_finite(slope, "its gradients")
    part.need(bool(slope.any()), "logits that are wrong move", "a gradient of zero")
    if task.objective is not None:
        _check_objective(part, task, truth)


def _check_objective(part: Component, task: Task, truth: Truth) -> None:
    """A task that looks at an image several times, with a network of one weight per channel."""
    side = task.size or 32
    pixels = torch.rand(
        len(truth.targets), _CLASSES, side, side, generator=torch.Generator().manual_seed(1)
    )
    weight = torch.ones(_CLASSES, requires_grad=True)

    def forward(seen: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        class_map = seen * weight[:, None, None]
        logits = class_map.mean((2, 3))
        return Output(logits, class_map if Asked.CLASS_MAP in asked else None, logits)

    assert task.objective is not None
    for share in (0.0, 0.5, 1.0):
        value = task.objective(forward, pixels, truth, _squares, share)
        part.need(
            value.ndim == 0,
            "the loss of a batch is one number",
            f"shape {tuple(value.shape)}",
        )
        part.need_finite(value.detach(), "its loss")
        part.need(value.requires_grad, "it can be learned from", "a loss without a gradient")
        (slope,) = torch.autograd.grad(value, weight)
        part.need_finite(slope, "its gradients")


def _squares(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.sigmoid() - targets) ** 2
