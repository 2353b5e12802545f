"""The plain mean of a network's weights over epochs, with batch statistics taken anew.

`torch.optim.swa_utils` is not used: its copy of the network knows nothing of checkpoints, and its
pass over the data nothing of how ours are drawn.

Source: stochastic weight averaging, Izmailov et al. 2018 (arXiv 1803.05407).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class EpochAverage:
    """The mean of the weights at the ends of all epochs after the first `begin` ones."""

    def __init__(self, net: nn.Module, begin: int) -> None:
        self.begin = begin
        self.count = 0
        self.values = {name: w.detach().clone() for name, w in net.named_parameters()}

    @torch.no_grad()
    def update(self, net: nn.Module, epoch: int) -> None:
        """Take in the weights at the end of an epoch, counted from 0."""
        if epoch < self.begin:
            return
        self.count += 1
        for name, weight in net.named_parameters():
            self.values[name].lerp_(weight.to(self.values[name]), 1 / self.count)

    @contextmanager
    def in_place_of(self, net: nn.Module, show: Callable[[], None]) -> Iterator[None]:
        """The network with the mean as its weights, then as before.

        Args:
            net: The network.
            show: Shows it the training data once, so that layers that normalise over the batch
                learn the statistics of the mean's features.
        """
        if not self.count:
            yield
            return
        own = {name: value.detach().clone() for name, value in net.state_dict().items()}
        try:
            with torch.no_grad():
                for name, weight in net.named_parameters():
                    weight.copy_(self.values[name])
            refresh(net, show)
            yield
        finally:
            net.load_state_dict(own)

    def state(self) -> dict[str, object]:
        """What a checkpoint holds."""
        return {"count": self.count, "values": self.values}

    def restore(self, count: int, values: dict[str, Tensor]) -> None:
        """Take up what a checkpoint held."""
        self.count = count
        self.values = {name: values[name].to(self.values[name]) for name in self.values}


def refresh(net: nn.Module, show: Callable[[], None]) -> None:
    """Statistics of layers that normalise over the batch, as the mean over all that is shown."""
    layers = [layer for layer in net.modules() if isinstance(layer, _BatchNorm)]
    layers = [layer for layer in layers if layer.track_running_stats]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    training = net.training
    for layer in layers:
        layer.reset_running_stats()
        # None stands for the plain mean over batches.
        layer.momentum = None
    net.train()
    with torch.no_grad():
        show()
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    net.train(training)
