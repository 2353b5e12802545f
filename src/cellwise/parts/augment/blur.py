"""Blur single channels by chance: how sharp a stain was taken is not the answer.

Source: motion blur, median and box blur, each in 5 % of the channels, in the HPA 2021 system of
Riedel.
"""

from collections.abc import Sequence

import numpy as np
import torch
from skimage.draw import line
from torch import Tensor
from torch.nn.functional import conv2d, pad

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance

_WAYS = ("motion", "median", "box")
_LEAST = 3


def build(how: str = "box", size: int = 3, chance: float = 0.05) -> Augment:
    """Make the augmentation; each channel of each image has a draw of its own.

    Args:
        how: `box` the mean of a square, `median` its median, `motion` the mean along a line drawn
            by chance in a square of 3 up to `size` pixels.
        size: Side of the square in pixels, odd and at least 3.
        chance: Share of the channels that are blurred.
    """
    check_chance("blur", chance)
    if how not in _WAYS or size < _LEAST or not size % 2:
        raise BadOption(
            f"augment blur: how is one of {', '.join(_WAYS)}, and size is odd and at least "
            f"{_LEAST}, not {how!r} and {size}."
        )

    def blur(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        result = batch
        for item, rng in enumerate(rngs):
            for channel in np.flatnonzero(rng.random(batch.shape[1]) < chance):
                if result is batch:
                    result = batch.clone()
                result[item, channel] = _blurred(batch[item, channel], how, size, rng)
        return result

    return blur


def _blurred(plane: Tensor, how: str, size: int, rng: np.random.Generator) -> Tensor:
    if how == "motion":
        kernel = _line(int(rng.choice(np.arange(_LEAST, size + 1, 2))), rng)
    else:
        kernel = np.ones((size, size))
    side = len(kernel) // 2
    if side >= min(plane.shape):
        return plane
    wide = pad(plane[None, None], (side,) * 4, mode="reflect")
    if how == "median":
        return wide[0, 0].unfold(0, size, 1).unfold(1, size, 1).flatten(2).median(2).values
    weights = torch.from_numpy(kernel / kernel.sum()).to(plane)
    return conv2d(wide, weights[None, None])[0, 0]


def _line(size: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A square of zeros with a line of ones between two of its places."""
    kernel = np.zeros((size, size))
    first, last = rng.choice(size * size, 2, replace=False)
    kernel[line(*divmod(int(first), size), *divmod(int(last), size))] = 1
    return kernel
