"""Make the whole image brighter or darker: one factor for all channels, and one small offset.

Source: brightness and contrast changes as all five systems used them in one form or another.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(contrast: float = 0.2, offset: float = 0.0, chance: float = 1.0) -> Augment:
    """Make the augmentation. What is zero, because it was blanked, stays zero.

    Args:
        contrast: Largest change of the factor as a natural logarithm, either way.
        offset: Largest level added or taken, in the pixels' own units (0..1), either way.
        chance: Share of the images that are changed.
    """
    check_chance("brightness", chance)
    if contrast < 0 or offset < 0:
        raise BadOption("augment brightness: contrast and offset are not negative.")

    def shift(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        draws = np.stack([rng.uniform(-1, 1, size=2) for rng in rngs])
        factor = torch.from_numpy(np.exp(contrast * draws[:, 0])).to(batch)[:, None, None, None]
        added = torch.from_numpy(offset * draws[:, 1]).to(batch)[:, None, None, None]
        inside = (batch != 0).any(1, keepdim=True)
        return torch.where(inside, batch * factor + added, batch).clamp_min(0)

    def brightness(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, shift, chance=chance)

    return brightness
