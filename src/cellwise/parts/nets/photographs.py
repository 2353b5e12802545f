"""Published networks as they are, for images of three colours, whatever brings their weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets._pretrained import load_weights, open_file, open_hub
from cellwise.parts.views import VIEWS, turn
from cellwise.registry import did_you_mean
from cellwise.store.packaged_weights import packaged_file

COLOURS = 3
_MAP = 4
# This much of a cell's places are darker than white.
_WHITE = 0.997
# So that a place outside the cell counts where the map is too coarse for any inside.
_FAINT = 1e-4


@dataclass(frozen=True, slots=True)
class Look:
    """How cells are shown: channels of each image, stages that are kept, side, views averaged."""

    images: tuple[tuple[int, ...], ...]
    stages: tuple[int, ...]
    size: int
    views: int


@dataclass(frozen=True, slots=True)
class Photographs:
    """A network in evaluation mode, and the mean and spread of the colours that it learned from."""

    net: Any
    mean: Tensor
    spread: Tensor
    device: str

    def see(self, crops: npt.NDArray[Any], look: Look) -> npt.NDArray[np.float32]:
        """`[cell, number]` of crops `[cell, channel, y, x]` that are 0 outside of the cell."""
        pixels = torch.from_numpy(crops).float()
        inside = (pixels != 0).any(1, keepdim=True)
        size = (look.size, look.size)
        large = F.interpolate(brightened(pixels, inside), size, mode="bilinear", antialias=True)
        found = []
        for channels in look.images:
            grey_or_not = large[:, list(channels)].expand(-1, COLOURS, -1, -1)
            colours = (grey_or_not - self.mean) / self.spread
            views = [
                self._pooled(turn(colours, view), turn(inside.float(), view), look.stages)
                for view in VIEWS[: look.views]
            ]
            found.append(torch.stack(views).mean(0))
        return torch.cat(found, 1).numpy()

    def _pooled(self, colours: Tensor, inside: Tensor, stages: tuple[int, ...]) -> Tensor:
        try:
            last, between = self.net.forward_intermediates(
                colours.to(self.device), indices=list(stages), norm=False
            )
        except (AttributeError, AssertionError, IndexError, ValueError) as error:
            raise BadOption(
                f"embed: the model has no stages {list(stages)} to give: {error}"
            ) from error
        if last.ndim != _MAP:
            raise BadOption("embed: the model gives no map of features; choose another.")
        found: list[Tensor] = []
        for features in between:
            share = _share(inside, features)
            mean = (features * share).sum((2, 3))
            apart = (features - mean[:, :, None, None]).square()
            found += [mean, (apart * share).sum((2, 3)).sqrt(), features.amax((2, 3))]
        found.append((last * _share(inside, last)).sum((2, 3)))
        return torch.cat(found, 1).float().cpu()


def _share(inside: Tensor, features: Tensor) -> Tensor:
    """How much each place of a map counts, `[cell, 1, y, x]`; adds to 1."""
    side = (features.shape[-2], features.shape[-1])
    share = F.adaptive_avg_pool2d(inside, side).to(features.device) + _FAINT
    return share / share.sum((2, 3), keepdim=True)


def brightened(pixels: Tensor, inside: Tensor) -> Tensor:
    """Each channel of each cell scaled so that all but its brightest places lie in 0..1."""
    result = torch.zeros_like(pixels)
    for cell, own in enumerate(inside[:, 0]):
        if own.any():
            white = torch.quantile(pixels[cell][:, own], _WHITE, dim=1).clamp(min=1e-6)
            result[cell] = (pixels[cell] / white[:, None, None]).clamp(0, 1)
    return result


def open_photographs(model: str, pretrained: str, device: str) -> Photographs:
    """The network where it looks, see `open_network`."""
    return _looking(open_network(model, pretrained), device)


def without_weights(model: str, device: str) -> Photographs:
    """The network as it is made, to see how long it takes: nothing is read or fetched."""
    import timm

    with torch.random.fork_rng(devices=[]):
        return _looking(timm.create_model(_known(model), num_classes=0), device)


def _looking(net: Any, device: str) -> Photographs:
    mean, spread = (
        torch.tensor(net.pretrained_cfg[part]).view(1, COLOURS, 1, 1) for part in ("mean", "std")
    )
    return Photographs(net.eval().to(device), mean, spread, device)


def open_network(model: str, pretrained: str) -> Any:
    """A timm model without its classifier.

    Args:
        model: Its name in timm.
        pretrained: `package`, `hub`, or a file.

    Raises:
        BadOption: timm knows no such model.
        PreflightError: The weights are not there, or are those of another model.
    """
    import timm

    _known(model)
    if pretrained == "hub":
        return open_hub(model, {"num_classes": 0})
    if pretrained != "package":
        weights = open_file(pretrained, "")
        return load_weights(timm.create_model(model, num_classes=0), weights, pretrained)
    net = timm.create_model(model)
    file = packaged_file(model)
    weights = torch.load(file, map_location="cpu", weights_only=True)
    wanted = net.state_dict()
    pairs = list(zip(wanted.items(), weights.items(), strict=False))
    # Other names in the same order: what each tensor is and its shape tell.
    same = [
        mine.rpartition(".")[2] == its.rpartition(".")[2] and one.shape == other.shape
        for (mine, one), (its, other) in pairs
    ]
    if len(wanted) != len(weights) or not all(same):
        raise PreflightError(f"{file} does not hold the weights of {model!r} in timm's order.")
    net.load_state_dict({mine: other for (mine, _), (_, other) in pairs})
    net.reset_classifier(0)
    return net


def _known(model: str) -> str:
    import timm

    if not timm.is_model(model):
        raise BadOption(f"timm knows no model {model!r}.{did_you_mean(model, timm.list_models())}")
    return model
