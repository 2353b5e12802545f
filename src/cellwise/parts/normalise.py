"""Brightness of pixels brought to one scale, with statistics that travel with the model.

Some ways: `standard` takes each channel as it is; `crop_mean` first divides each channel of each
image by its own mean, so that how strongly a stain is expressed or lit is not the answer, only
where it lies. Both then shift and scale each channel by the training set's mean and deviation.
`filled` is `standard` for vectors that may lack numbers: a missing one counts as the mean. `self`
takes nothing from the training set: each channel of each image has its own mean taken away and is
divided by its own deviation.

Source: per-channel standardisation as usual; division by the cell's own mean as in plain
translocation assays (a ratio of compartments); each tile by itself as in the RxRx1 system of Lin &
Lin.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cellwise.errors import BadOption

FILLED = "filled"
SELF = "self"
MODES = ("standard", "crop_mean", FILLED, SELF)
# A single hot pixel would otherwise be tens of deviations away.
_CEILING = 8.0
_LEAST_MEAN = 1e-4
_LEAST_DEVIATION = 1e-3
# Added to an image's own deviation; what varies by less than rounding counts as constant.
_OWN_LEAST = 1e-10
_CONSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How a model wants its pixels; `mean` and `std` are per channel, after the mode's own step."""

    mode: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def standardise(self, pixels: Tensor) -> Tensor:
        """Shift and scale `[item, channel, ...]` that `relative` has treated."""
        shape = (-1, *(1 for _ in pixels.shape[2:]))
        mean = pixels.new_tensor(self.mean).view(shape)
        scaled = (pixels - mean) / pixels.new_tensor(self.std).view(shape)
        return torch.where(scaled.isnan(), 0.0, scaled) if self.mode == FILLED else scaled

    def __call__(self, pixels: Tensor) -> Tensor:
        """All of it: pixels in 0..1 become what the network sees."""
        return self.standardise(relative(pixels, self.mode))


def relative(pixels: Tensor, mode: str) -> Tensor:
    """The mode's own step on `[item, channel, y, x]`; zero stays zero, but for `self`.

    `crop_mean` divides by the mean over the pixels where any channel is above zero, which leaves
    out what a crop policy blanked.
    """
    check_mode(mode)
    if mode == FILLED and pixels.ndim != 2:
        raise BadOption(f"Normalisation {mode!r} is of vectors; pixels lack no number.")
    if mode in ("standard", FILLED):
        return pixels
    if pixels.ndim != 4:
        raise BadOption(f"Normalisation {mode!r} is of pixels; vectors take 'standard'.")
    if mode == SELF:
        return _by_itself(pixels)
    inside = (pixels != 0).any(1, keepdim=True)
    count = inside.sum((2, 3), keepdim=True).clamp_min(1)
    mean = pixels.sum((2, 3), keepdim=True) / count
    return (pixels / mean.clamp_min(_LEAST_MEAN)).clamp_max(_CEILING)


def fit(pixels: Tensor, mode: str) -> Normalisation:
    """Statistics of a sample of the training set.

    Pixels in 0..1 `[item, channel, y, x]`, or vectors `[item, feature]`, each feature a channel. Of
    vectors one that hardly varies is not blown up: a deviation counts as a thousandth of the
    largest one at least.
    """
    if mode == SELF:
        channels = pixels.shape[1]
        return Normalisation(mode, (0.0,) * channels, (1.0,) * channels)
    # Sums over millions of pixels lose digits in single precision.
    values = relative(pixels, mode).transpose(0, 1).flatten(1).to(torch.float64)
    if mode == FILLED:
        # The mean in place of what is missing; what no item has is 0 throughout.
        means = values.nanmean(1, keepdim=True).nan_to_num(0.0)
        values = torch.where(values.isnan(), means, values)
    deviation = values.std(1, correction=0)
    least = _LEAST_DEVIATION if pixels.ndim > 2 else _LEAST_DEVIATION * float(deviation.max())
    deviation = deviation.clamp_min(least or 1.0)
    return Normalisation(mode, tuple(values.mean(1).tolist()), tuple(deviation.tolist()))


def _by_itself(pixels: Tensor) -> Tensor:
    """Each channel of each image less its mean, over its deviation; 0 where it is constant.

    In two passes, which on a processor are several times faster than `torch.std_mean`.
    """
    centred = pixels - pixels.mean(dim=(2, 3), keepdim=True)
    flat = centred.flatten(2)
    deviation = (torch.linalg.vector_norm(flat, dim=2) / flat.shape[2] ** 0.5)[..., None, None]
    scale = torch.where(deviation > _CONSTANT, 1 / (deviation + _OWN_LEAST), 0.0)
    return centred.mul_(scale)


def check_mode(mode: str) -> None:
    """Refuse a mode that does not exist."""
    if mode not in MODES:
        raise BadOption(f"No normalisation is called {mode!r}. One of: {', '.join(MODES)}.")
