"""Make each channel brighter or darker by chance: exposure is not the answer.

Source: the per-channel factors of the HPA 2021 system AllDataAreExt & Galixir (0.6 to 1.1).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(spread: float = 0.3, chance: float = 1.0) -> Augment:
    """Make the augmentation; each channel of each item draws its own factor.

    Args:
        spread: Largest change as a natural logarithm, either way: 0.3 is a factor 0.74 to 1.35.
        chance: Share of the images that are changed.
    """
    check_chance("gain", chance)
    if spread < 0:
        raise BadOption(f"augment gain: spread is not negative, as {spread} is.")

    def change(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        draws = np.stack([rng.uniform(-spread, spread, size=batch.shape[1]) for rng in rngs])
        factors = torch.from_numpy(np.exp(draws)).to(batch.device, batch.dtype)
        return batch * factors[:, :, None, None]

    def gain(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        # No draw is spent where all are changed.
        return change(batch, rngs) if chance == 1 else sometimes(batch, rngs, change, chance=chance)

    return gain
