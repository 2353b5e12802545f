"""Batch normalisation by the statistics of new images, taken once and then frozen.

The layers of a trained network normalise by what they saw while it learned. For a plate or an
experiment that is lit or stained otherwise, means and variances of the very images to be judged can
stand in their place. They are made of all of these images: nothing depends on the order or number
in which images are judged later.

Groups of images, mixed and large, go through the network one after the other; in each every layer
normalises by that group, and what enters a layer is added up over all groups. With one group this
is what a batch of all images gives. Statistics from the layers as they were would not do: a layer's
input depends on all layers before it, and these change too.

Source: AdaBN, Li et al. 2016 (arXiv 1603.04779); statistics pooled over batches as the precise
batch normalisation of Wu and Johnson 2021 (arXiv 2105.07576). The RxRx1 system of Lin & Lin
normalised each batch of one plate by itself, which makes an answer depend on its company.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Floats = npt.NDArray[np.float32]
# Mean and variance by the name of the layer.
Statistics = Mapping[str, tuple[Floats, Floats]]


def layers_of(net: nn.Module) -> dict[str, _BatchNorm]:
    """The layers of batch normalisation that keep statistics, by name."""
    return {
        name: layer
        for name, layer in net.named_modules()
        if isinstance(layer, _BatchNorm) and layer.track_running_stats
    }


def statistics_of(net: nn.Module) -> dict[str, tuple[Floats, Floats]]:
    """What the layers normalise by now."""
    return {name: (_kept(layer.running_mean), _kept(layer.running_var))
            for name, layer in layers_of(net).items()}  # fmt: skip


def set_statistics(net: nn.Module, statistics: Statistics) -> None:
    """Normalise by these from now on.

    Raises:
        KeyError: A layer is not among them.
    """
    with torch.no_grad():
        for name, layer in layers_of(net).items():
            assert layer.running_mean is not None
            assert layer.running_var is not None
            mean, variance = statistics[name]
            layer.running_mean.copy_(torch.from_numpy(mean))
            layer.running_var.copy_(torch.from_numpy(variance))


def adapt(net: nn.Module, look: Callable[[], Iterable[object]]) -> dict[str, tuple[Floats, Floats]]:
    """The statistics of some images; the network is left as it was.

    Args:
        net: In evaluation mode.
        look: Sends every image through the network, a group of two or more at a time.
    """
    layers = layers_of(net)
    sums = {name: _Sums(layer) for name, layer in layers.items()}
    before = {name: (layer.training, layer.momentum) for name, layer in layers.items()}
    counted = {
        name: None if layer.num_batches_tracked is None else layer.num_batches_tracked.clone()
        for name, layer in layers.items()
    }
    handles = [layer.register_forward_pre_hook(sums[name].add) for name, layer in layers.items()]
    try:
        for layer in layers.values():
            # By the group itself, without a step towards it.
            layer.training, layer.momentum = True, 0.0
        for _ in look():
            pass
    finally:
        for handle in handles:
            handle.remove()
        for name, layer in layers.items():
            layer.training, layer.momentum = before[name]
            layer.num_batches_tracked = counted[name]
    return {name: one.statistics() for name, one in sums.items()}


class _Sums:
    """Number, sum and sum of squares of each channel, in double precision."""

    def __init__(self, layer: _BatchNorm) -> None:
        self.layer, self.count = layer, 0
        # Taken about the mean of before: squares of large numbers would lose their digits.
        self.middle = _double(layer.running_mean)
        self.total = np.zeros(layer.num_features)
        self.squares = np.zeros(layer.num_features)

    def add(self, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        values = given[0].detach().transpose(0, 1).flatten(1).to(torch.float64)
        values = values - torch.from_numpy(self.middle).to(values.device)[:, None]
        self.count += values.shape[1]
        self.total += values.sum(1).cpu().numpy()
        self.squares += values.square().sum(1).cpu().numpy()

    def statistics(self) -> tuple[Floats, Floats]:
        if not self.count:
            return _kept(self.layer.running_mean), _kept(self.layer.running_var)
        mean = self.total / self.count
        variance = np.maximum(self.squares / self.count - mean**2, 0)
        return (self.middle + mean).astype(np.float32), variance.astype(np.float32)


def _double(values: Tensor | None) -> npt.NDArray[np.float64]:
    assert values is not None
    return np.asarray(values.double().cpu().numpy())


def _kept(values: Tensor | None) -> Floats:
    assert values is not None
    return np.array(values.float().cpu().numpy())
