"""Blank small squares at the knots of a grid: many places lost, none of them large.

Source: Chen et al. 2020, GridMask (arXiv 2001.04086), as in the library albumentations (Buslaev et
al. 2020); squares of 9 % of the grid's step in the HPA 2021 system of Riedel.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(
    ratio: float = 0.09, steps: int = 10, chance: float = 0.5, *, moved: bool = False
) -> Augment:
    """Make the augmentation.

    Args:
        ratio: Side of a square as a share of the grid's step, above 0 and below 1; at least one
            pixel, and one less than the step at most.
        steps: Squares along the shorter side, 1 or more.
        chance: Share of the images that get them.
        moved: Whether the grid begins anywhere in its first step, and not at the upper left pixel.
    """
    check_chance("grid_dropout", chance)
    if not 0 < ratio < 1 or steps < 1:
        raise BadOption("augment grid_dropout: ratio is above 0 and below 1, steps at least 1.")

    def punch(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        step = max(min(batch.shape[2:]) // steps, 2)
        side = min(max(int(step * ratio), 1), step - 1)
        for item, rng in zip(batch, rngs, strict=True):
            top, left = rng.integers(0, step - side + 1, 2) if moved else (0, 0)
            for offset in range(side):
                for beside in range(side):
                    item[:, int(top) + offset :: step, int(left) + beside :: step] = 0
        return batch

    def grid_dropout(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, punch, chance=chance)

    return grid_dropout
