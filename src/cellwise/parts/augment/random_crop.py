"""A random square of the image, brought back to full size: seen from nearer, and not whole.

Source: squares of 512 to 768 of 768 pixels, brought to 512, in the HPA 2021 system AllDataAreExt &
Galixir ("center_cells").
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(least: float = 2 / 3, chance: float = 1.0, side: int = 0) -> Augment:
    """Make the augmentation.

    Args:
        least: Smallest side of the square as a share of the shorter side; drawn evenly up to 1.
        chance: Share of the images that are cropped.
        side: Side in pixels of what comes out; 0 for that of the image. Another size than the
            image's needs a chance of 1.
    """
    check_chance("random_crop", chance)
    if not 0 < least <= 1:
        raise BadOption(f"augment random_crop: least is above 0 and up to 1, not {least}.")

    if side < 0 or (side and chance != 1):
        raise BadOption("augment random_crop: side is 0, or above 0 with a chance of 1.")

    def crop(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        height, width = batch.shape[2:]
        shape = (side, side) if side else (height, width)
        result = []
        for item, rng in zip(batch, rngs, strict=True):
            seen = max(round(rng.uniform(least, 1) * min(height, width)), 1)
            top, left = rng.integers(0, height - seen + 1), rng.integers(0, width - seen + 1)
            piece = item[None, :, top : top + seen, left : left + seen]
            result.append(interpolate(piece, shape, mode="bilinear", antialias=True))
        return torch.cat(result)

    def random_crop(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        if side:
            return crop(batch, rngs)
        return sometimes(batch, rngs, crop, chance=chance)

    return random_crop
