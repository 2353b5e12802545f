"""Checks of how a training goes on: samplers, schedules, optimisers."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from cellwise.contracts.batch import Pool, Sampler, When
from cellwise.contracts.optimiser import MakeOptimiser
from cellwise.contracts.schedule import Moment, Schedule
from cellwise.testing._component import Component

_EPOCHS, _BATCHES = 5, 4


def check_sampler(build: Callable[..., Sampler], **options: Any) -> None:
    """Check a sampler: positions of the pool, the same for the same seed and epoch.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("batch", build, options)
    sampler = part.make()
    site = np.repeat(np.arange(10), 3)
    places = dict.fromkeys(("well", "plate", "experiment", "cell_type"), site // 4)
    pool = Pool(site, places=places)
    first = sampler(pool, 4, When(1, 0))
    part.need(isinstance(first, list) and first, "it gives a list of batches", repr(first)[:80])
    for positions in first:
        whole = np.issubdtype(positions.dtype, np.integer)
        part.need(whole, "positions are whole numbers", positions.dtype)
        inside = positions.min() >= 0 and positions.max() < len(pool)
        part.need(inside, f"positions lie in 0..{len(pool) - 1}", positions.max())
        part.need(len(positions) <= 4, "a batch is not larger than asked", len(positions))
        if positions.ndim == 2:
            sites = pool.site[positions]
            one = (sites == sites[:, :1]).all()
            part.need(one, "a bag holds cells of one field", sites[0])
    again = sampler(pool, 4, When(1, 0))
    rule = "an order follows from seed and epoch alone"
    part.need(len(again) == len(first), rule, f"{len(first)} batches, then {len(again)}")
    for one, two in zip(first, again, strict=True):
        part.need_equal(one, two, rule)
    counts = {len(sampler(pool, 4, When(1, epoch))) for epoch in range(4)}
    part.need(len(counts) == 1, "every epoch has as many batches", sorted(counts))
    nothing = sampler(Pool(np.zeros(0, np.int64)), 4, When(0, 0))
    part.need(nothing == [], "a pool of nothing gives no batch", nothing)


def check_schedule(build: Callable[..., Schedule], **options: Any) -> None:
    """Check a schedule: shares of the learning rate that depend on the moment alone.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("schedule", build, options)
    schedule = part.make()
    for losses in ((1.0, 0.5, 0.4, 0.3), (1.0, 1.0, 1.0, 1.0), (-0.5, -0.6, -0.6, -0.6)):
        moments = [
            Moment(batch, _BATCHES, epoch, _EPOCHS, losses[:epoch])
            for epoch in range(_EPOCHS)
            for batch in range(_BATCHES)
        ]
        rates = [schedule(moment) for moment in moments]
        part.need_finite(rates, "its rates")
        part.need(min(rates) >= 0, "a rate is 0 or more", min(rates))
        part.need(max(rates) > 0, "some rate is above 0", max(rates))
        backwards = [schedule(moment) for moment in reversed(moments)]
        rule = "a rate depends on the moment alone, so that a training can be resumed"
        part.need_equal(rates, backwards[::-1], rule)
    part.need_finite(schedule(Moment(0, 1, 0, 1)), "rates of a training of one batch")


def check_optimiser(build: Callable[..., MakeOptimiser], **options: Any) -> None:
    """Check an optimiser: it knows every weight once, goes downhill, and resumes.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("optimiser", build, options)
    make = part.make()
    net = _net()
    optimiser = make(net, 1e-2, 0.0)
    part.need(isinstance(optimiser, Optimizer), "it gives a torch Optimizer", type(optimiser))
    held = [id(weight) for group in optimiser.param_groups for weight in group["params"]]
    every = [id(weight) for weight in net.parameters()]
    part.need(sorted(held) == sorted(every), "every weight is in one group", f"{len(held)} held")
    start = float(_cost(net).detach())
    for _ in range(20):
        _step(net, optimiser)
    end = float(_cost(net).detach())
    part.need(end < start, "20 steps lower the loss of a straight line", f"{start}, then {end}")
    resumed_net = _net()
    resumed = make(resumed_net, 1e-2, 0.0)
    resumed_net.load_state_dict(net.state_dict())
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for _ in range(7):
        _step(net, optimiser)
        _step(resumed_net, resumed)
    rule = "after its state was stored and loaded it goes on as if nothing had happened"
    for one, two in zip(net.parameters(), resumed_net.parameters(), strict=True):
        part.need_equal(one.detach(), two.detach(), rule)


def _net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(3, 2)


def _cost(net: nn.Module) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    given = torch.randn(32, 3, generator=draw)
    wanted = given[:, :2] - 0.5
    loss: torch.Tensor = ((net(given) - wanted) ** 2).mean()
    return loss


def _step(net: nn.Module, optimiser: Optimizer) -> None:
    optimiser.zero_grad()
    _cost(net).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
