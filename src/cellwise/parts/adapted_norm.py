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
    kept = {
        name: {key: value.clone() for key, value in layer.named_buffers(recurse=False)}
        for name, layer in layers.items()
    }
    handles = [layer.register_forward_hook(sums[name].add) for name, layer in layers.items()]
    try:
        for layer in layers.values():
            # By the group itself; what a layer then keeps are the statistics of that group.
            layer.training, layer.momentum = True, 1.0
        for _ in look():
            pass
    finally:
        for handle in handles:
            handle.remove()
        for name, layer in layers.items():
            layer.training, layer.momentum = before[name]
            for key, value in kept[name].items():
                setattr(layer, key, value)
    return {name: one.statistics() for name, one in sums.items()}


class _Sums:
    """Number, mean and sum of squares about it of each channel, in double precision."""

    def __init__(self, layer: _BatchNorm) -> None:
        self.before = _kept(layer.running_mean), _kept(layer.running_var)
        self.count = 0
        self.mean = np.zeros(layer.num_features)
        self.squares = np.zeros(layer.num_features)

    def add(self, layer: nn.Module, given: tuple[Tensor, ...], _: object) -> None:
        """Take in the group that has just gone through; the layer has its statistics already."""
        assert isinstance(layer, _BatchNorm)
        number = given[0].numel() // layer.num_features
        mean, variance = _double(layer.running_mean), _double(layer.running_var)
        apart, whole = mean - self.mean, self.count + number
        # Two groups joined, Chan et al. 1983; the layer's variance is that of a sample.
        self.squares += variance * (number - 1) + apart**2 * (self.count * number / whole)
        self.mean += apart * (number / whole)
        self.count = whole

    def statistics(self) -> tuple[Floats, Floats]:
        if not self.count:
            return self.before
        return self.mean.astype(np.float32), (self.squares / self.count).astype(np.float32)


def _double(values: Tensor | None) -> npt.NDArray[np.float64]:
    assert values is not None
    return np.asarray(values.double().cpu().numpy())


def _kept(values: Tensor | None) -> Floats:
    assert values is not None
    return np.array(values.float().cpu().numpy())
