"""Barrel and pincushion: straight lines bend about the middle as behind a plain lens.

Source: the radial lens model of Brown 1966 with both terms alike, as "optical distortion" in the
library albumentations (Buslaev et al. 2020); up to 0.05 in the HPA 2021 system of Riedel, whose
shift of the middle by up to 0.05 pixels is left out.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes
from cellwise.parts.augment._warp import own_places, taken_from


def build(most: float = 0.05, chance: float = 1.0) -> Augment:
    """Make the augmentation.

    Args:
        most: Largest strength, either way: a place at distance r from the middle, in sides of the
            image, comes from `r (1 + k r^2 + k r^4)`, k up to this; in 0..1.
        chance: Share of the images that are changed.
    """
    check_chance("optical_distortion", chance)
    if not 0 <= most <= 1:
        raise BadOption(f"augment optical_distortion: most lies in 0..1, not {most}.")

    def bend(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        strength = torch.tensor([rng.uniform(-most, most) for rng in rngs], dtype=torch.float32)
        size = torch.tensor(batch.shape[:1:-1], dtype=torch.float32, device=batch.device)
        middle = (size - 1) / 2
        apart = (own_places(batch) - middle) / size
        square = (apart**2).sum(2)[None, :, :, None]
        by = 1 + strength.to(batch.device)[:, None, None, None] * (square + square**2)
        return taken_from(batch, apart * by * size + middle)

    def optical_distortion(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, bend, chance=chance)

    return optical_distortion
