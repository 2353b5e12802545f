"""All parts of a training, made once before any work: what they refuse is said at once."""

from typing import Any

import torch

from cellwise.contracts.task import Task
from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations
from cellwise.parts.losses import losses
from cellwise.parts.nets import nets, without_beginning
from cellwise.parts.optimisers import optimisers
from cellwise.parts.schedules import schedules
from cellwise.parts.tasks import tasks
from cellwise.stages.train.spec import Options

# A network is tried with as many; what it can take does not hang on them.
_ITEMS, _CHANNELS, _CLASSES = 2, 4, 3


def check_parts(step: str, options: Options) -> None:
    """Make each part of a training as it would be made, and show its network images of no content.

    Args:
        step: The step's name.
        options: Of the step, with a network.

    Raises:
        BadOption: A part refuses its options, or the network cannot take images so small.
    """
    try:
        _check(step, options)
    except BadOption as error:
        raise BadOption(f"Step {step!r} (train): {error}") from error


def _check(step: str, options: Options) -> None:
    task = tasks.build(options.task)
    for registry, spec in (
        (losses, options.loss),
        (optimisers, options.optimiser),
        (schedules, options.schedule),
        *((augmentations, change) for change in options.augment),
    ):
        registry.build(spec)
    make = nets.build(without_beginning(options.net))
    side = task.tile or task.size
    if task.items != "pixels" or not side:
        return
    # Without memory or arithmetic first; what cannot do without them is asked again with both.
    if _fault(make, side, "meta") and (fault := _fault(make, side, "cpu")):
        raise BadOption(
            f"the network cannot take {_shown(task)} of {side} pixels ({fault}). Give larger ones, "
            f"--set {step}.task.{'tile' if task.tile else 'size'}=..., or another net."
        )


def _fault(make: Any, side: int, device: str) -> str:
    """What a network of random weights says against images of this side; empty for nothing."""
    try:
        with torch.device(device), torch.random.fork_rng(devices=[]), torch.no_grad():
            net = make(_CHANNELS, _CLASSES).train()
            net(torch.zeros(_ITEMS, _CHANNELS, side, side))
    except (RuntimeError, AssertionError, ValueError) as error:
        return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return ""


def _shown(task: Task) -> str:
    if task.tile:
        return "tiles"
    return "fields" if task.unit == "site" else "cells"
