"""Rectified Adam whose weights are pulled back, every few steps, to a slow average of themselves.

timm's Lookahead is not used: its slow average begins with the first pull and not with the first
weights, as the paper's and ours does.

Source: Liu et al. 2020 (arXiv 1908.03265); Zhang et al. 2019 (arXiv 1907.08610).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cellwise.contracts.optimiser import MakeOptimiser
from cellwise.errors import BadOption


def build(
    every: int = 6,
    pull: float = 0.5,
    first: float = 0.9,
    second: float = 0.999,
    least: float = 1e-8,
) -> MakeOptimiser:
    """Make the optimiser.

    Args:
        every: Steps between two pulls, 1 or more.
        pull: How far the slow weights move towards the fast ones, above 0 and up to 1.
        first: Share of the mean gradient kept at each step (beta 1), in 0..1.
        second: Share of the mean squared gradient kept (beta 2), in 0..1.
        least: Added to the root of that mean (eps), above 0.
    """
    if every < 1 or not 0 < pull <= 1:
        raise BadOption("optimiser radam_lookahead: every is at least 1, pull above 0 and up to 1.")
    if not 0 <= first < 1 or not 0 <= second < 1 or not least > 0:
        raise BadOption("optimiser radam_lookahead: betas lie in 0..1, and least is above 0.")
    settings = {"betas": (first, second), "eps": least}

    def radam_lookahead(net: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
        return _Lookahead(net.parameters(), rate, decay, settings=settings, every=every, pull=pull)

    return radam_lookahead


class _Lookahead(torch.optim.RAdam):
    """The slow weights lie in the optimiser's state, so that a checkpoint holds them."""

    def __init__(
        self,
        parameters: Any,
        rate: float,
        decay: float,
        *,
        settings: dict[str, Any],
        every: int,
        pull: float,
    ) -> None:
        super().__init__(parameters, lr=rate, weight_decay=decay, **settings)
        self.every, self.pull = every, pull

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        weights = [weight for group in self.param_groups for weight in group["params"]]
        # Before its first step a weight has no state, and none may be put there.
        beginnings = {w: w.detach().clone() for w in weights if not self.state.get(w)}
        loss = super().step(closure)
        for weight in weights:
            if weight in beginnings and self.state.get(weight):
                self.state[weight]["slow"] = beginnings[weight]
            self._pull_back(weight)
        return loss

    def _pull_back(self, weight: torch.Tensor) -> None:
        state = self.state.get(weight, {})
        if "slow" in state and int(state["step"]) % self.every == 0:
            state["slow"].lerp_(weight, self.pull)
            weight.copy_(state["slow"])
