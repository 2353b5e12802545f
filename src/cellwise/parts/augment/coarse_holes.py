"""Blank several small squares.

Source: "coarse dropout", 16 holes of a sixteenth of the side, in the HPA 2021 system of Riedel.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(holes: int = 16, size: float = 0.0625, chance: float = 0.25) -> Augment:
    """Make the augmentation.

    Args:
        holes: How many, 1 or more; they may overlap.
        size: Side of each as a share of the image's, above 0 and up to 1; at least one pixel.
        chance: Share of the images that get them.
    """
    check_chance("coarse_holes", chance)
    if holes < 1 or not 0 < size <= 1:
        raise BadOption("augment coarse_holes: holes is at least 1, size above 0 and up to 1.")

    def punch(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        height, width = batch.shape[2:]
        tall, wide = max(round(size * height), 1), max(round(size * width), 1)
        for item, rng in zip(batch, rngs, strict=True):
            tops = rng.integers(0, height - tall + 1, holes)
            lefts = rng.integers(0, width - wide + 1, holes)
            for top, left in zip(tops, lefts, strict=True):
                item[:, top : top + tall, left : left + wide] = 0
        return batch

    def coarse_holes(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, punch, chance=chance)

    return coarse_holes
