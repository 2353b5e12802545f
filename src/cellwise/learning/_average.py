"""A running average of a network's weights: steadier than the weights themselves.

The averages of torch, lightning and timm are not used: they begin with the weights after the first
step, or warm up by another formula, so that trainings would end with other weights.

Source: Polyak and Juditsky 1992; as an exponential average in Tarvainen and Valpola 2017 (arXiv
1703.01780).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """`average <- keep * average + (1 - keep) * weights`, once for every step.

    Early on less is kept, `(1 + steps) / (10 + steps)` at most, so that random weights are soon
    forgotten. Statistics of normalisation layers are taken as they are.
    """

    def __init__(self, net: nn.Module, keep: float) -> None:
        self.keep = keep
        self.steps = 0
        self.values = {name: w.detach().clone() for name, w in net.named_parameters()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take in the weights after a step."""
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, weight in net.named_parameters():
            self.values[name].lerp_(weight.to(self.values[name]), 1 - keep)

    @contextmanager
    def in_place_of(self, net: nn.Module) -> Iterator[None]:
        """The network with the average as its weights, then as before."""
        own = {name: weight.detach().clone() for name, weight in net.named_parameters()}
        try:
            _put(net, self.values)
            yield
        finally:
            _put(net, own)

    def state(self) -> dict[str, object]:
        """What a checkpoint holds."""
        return {"steps": self.steps, "values": self.values}

    def restore(self, steps: int, values: dict[str, Tensor]) -> None:
        """Take up what a checkpoint held."""
        self.steps = steps
        self.values = {name: values[name].to(self.values[name]) for name in self.values}


@torch.no_grad()
def _put(net: nn.Module, values: dict[str, Tensor]) -> None:
    for name, weight in net.named_parameters():
        weight.copy_(values[name])
