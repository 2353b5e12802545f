"""Blank one rectangle, up to most of the image: the answer must not hang on one place.

Source: DeVries and Taylor 2017 (arXiv 1708.04552); one hole of up to 70 % of each side, in 70 % of
the images, in the HPA 2021 system AllDataAreExt & Galixir.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(largest: float = 0.7, chance: float = 0.7) -> Augment:
    """Make the augmentation.

    Args:
        largest: Greatest height and width of the hole as a share of the side, above 0 and up to 1;
            each is drawn evenly from 0 to it, and so is the place inside the image.
        chance: Share of the images that get one.
    """
    check_chance("cutout", chance)
    if not 0 < largest <= 1:
        raise BadOption(f"augment cutout: largest is above 0 and up to 1, not {largest}.")

    def hole(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        for item, rng in zip(batch, rngs, strict=True):
            sides = np.array(item.shape[1:])
            size = np.floor(rng.random(2) * largest * (sides + 1)).astype(int).clip(max=sides)
            top, left = (rng.random(2) * (sides - size + 1)).astype(int)
            item[:, top : top + size[0], left : left + size[1]] = 0
        return batch

    def cutout(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, hole, chance=chance)

    return cutout
