"""First layers for any number of channels: published networks were made for three colours."""

from typing import Any

import torch
from torch import Tensor, nn

from cellwise.errors import BadOption

WAYS = ("copy_first", "copy_all", "repeat", "mean", "zero")
_COLOURS = 3


def check_way(way: str) -> None:
    """Refuse a way of widening that does not exist."""
    if way not in WAYS:
        raise BadOption(f"net backbone: stem is one of {', '.join(WAYS)}, not {way!r}.")


def widened(kernels: Tensor, channels: int, way: str) -> Tensor:
    """First-layer kernels `[out, 3, y, x]` for another number of channels.

    Args:
        kernels: Of a network for three colours.
        channels: Wanted, 1 or more.
        way: `copy_first` keeps the three and gives every further channel the first one's (what the
            HPA systems did with their fourth); `copy_all` goes round the three again as they are
            (what the RxRx1 system of Lin & Lin did with its six); `repeat` does so scaled, so that
            a grey image causes the same response; `mean` gives every channel their mean, scaled
            in the same way; `zero` keeps the three and starts further ones at 0.
    """
    place = torch.arange(channels)
    if way == "repeat":
        return kernels[:, place % _COLOURS] * (_COLOURS / channels)
    if way == "copy_all":
        return kernels[:, place % _COLOURS]
    if way == "mean":
        mean = kernels.mean(dim=1, keepdim=True)
        return mean.repeat(1, channels, 1, 1) * (_COLOURS / channels)
    result = kernels[:, torch.where(place < _COLOURS, place, 0)]
    if way == "zero":
        result[:, _COLOURS:] = 0
    return result


def widen_first(trunk: Any, channels: int, way: str) -> None:
    """Give a timm model made for three colours a first layer for `channels`, in place.

    Raises:
        BadOption: timm does not say which layer is the first, or it is no plain convolution.
    """
    names = trunk.pretrained_cfg.get("first_conv") or ()
    for name in (names,) if isinstance(names, str) else tuple(names):
        layer = trunk.get_submodule(name)
        if not isinstance(layer, nn.Conv2d) or layer.groups != 1:
            break
        layer.weight = nn.Parameter(widened(layer.weight.detach(), channels, way))
        layer.in_channels = channels
    else:
        if names:
            return
    raise BadOption(
        "net backbone: the first layer of this model cannot be widened; choose a model whose first "
        "layer is a plain convolution, or start without pretrained weights."
    )


def pool_after_stem(trunk: nn.Module) -> None:
    """Halve the map once more after the stem, in place: the "large" networks for 1,024 px.

    Source: the 2018 winners of the HPA challenge (densenet121 "large") and "Raman".

    Raises:
        BadOption: The model has no pooling after its stem.
    """
    for owner, name in ((getattr(trunk, "features", None), "pool0"), (trunk, "maxpool")):
        pool = getattr(owner, name, None)
        if isinstance(owner, nn.Module) and isinstance(pool, nn.Module):
            setattr(owner, name, nn.Sequential(pool, nn.MaxPool2d(2)))
            return
    raise BadOption(
        "net backbone: stem_pool is for models that pool after their stem, such as densenet121 and "
        "resnet50d."
    )


def use_mish(module: nn.Module) -> None:
    """Replace every ReLU, SiLU and their like by Mish, in place.

    Source: Misra 2019 (arXiv 1908.08681).
    """
    for name, child in module.named_children():
        if type(child).__name__ in _LIKE_RELU:
            setattr(module, name, nn.Mish())
        else:
            use_mish(child)


_LIKE_RELU = {"ReLU", "ReLU6", "SiLU", "Swish", "SwishMe", "LeakyReLU", "ELU", "Hardswish"}
