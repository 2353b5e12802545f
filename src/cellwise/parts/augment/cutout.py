"""Blank one rectangle, up to most of the image: the answer must not hang on one place.

Source: DeVries and Taylor 2017 (arXiv 1708.04552); one hole of 70 % of each side, in 70 % of the
images, in the HPA 2021 system AllDataAreExt & Galixir, and eight of a sixteenth in that of Riedel.
Theirs, of the library albumentations, have one size, begin half of it before a place drawn anywhere
in the image and are cut off at its edges: `hole` and `holes`.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(largest: float = 0.7, chance: float = 0.7, hole: float = 0.0, holes: int = 1) -> Augment:
    """Make the augmentation.

    Args:
        largest: Greatest height and width of the hole as a share of the side, above 0 and up to 1;
            each is drawn evenly from 0 to it, and so is the place inside the image.
        chance: Share of the images that get one.
        hole: Above 0 the height and width of all holes as a share of the side, up to 1, in place of
            `largest`; a hole begins half of it before a place drawn evenly, not before the image,
            and ends with the image at the latest.
        holes: How many, 1 or more; they may overlap.
    """
    check_chance("cutout", chance)
    if not 0 <= hole <= 1 or holes < 1:
        raise BadOption(
            f"augment cutout: hole lies in 0..1 and holes is at least 1, not {hole} and {holes}."
        )
    if not 0 < largest <= 1:
        raise BadOption(f"augment cutout: largest is above 0 and up to 1, not {largest}.")

    def punch(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        for item, rng in zip(batch, rngs, strict=True):
            sides = np.array(item.shape[1:])
            for _ in range(holes):
                if hole:
                    size = (hole * sides).astype(int)
                    top, left = (rng.integers(0, sides) - size // 2).clip(min=0)
                else:
                    most = np.floor(rng.random(2) * largest * (sides + 1))
                    size = most.astype(int).clip(max=sides)
                    top, left = (rng.random(2) * (sides - size + 1)).astype(int)
                item[:, top : top + size[0], left : left + size[1]] = 0
        return batch

    def cutout(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, punch, chance=chance)

    return cutout
