"""Make each channel brighter or darker by chance: exposure is not the answer.

Source: the per-channel factors of the HPA 2021 system AllDataAreExt & Galixir (0.6 to 1.1); with a
shift the intensity jitter of the winner of the RxRx1 challenge.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes


def build(
    spread: float = 0.3,
    chance: float = 1.0,
    least: float = 0.0,
    most: float = 0.0,
    shift: float = 0.0,
) -> Augment:
    """Make the augmentation; each channel of each item draws its own factor.

    Args:
        spread: Largest change as a natural logarithm, either way: 0.3 is a factor 0.74 to 1.35.
        chance: Share of the images that are changed.
        least: With `most`, the smallest factor.
        most: Above 0 the largest factor, drawn evenly from `least` to it in place of `spread`.
        shift: Largest level added to a channel or taken, in its own deviations, drawn evenly; what
            was blanked does not stay zero then.
    """
    check_chance("gain", chance)
    if spread < 0:
        raise BadOption(f"augment gain: spread is not negative, as {spread} is.")
    if shift < 0:
        raise BadOption(f"augment gain: shift is not negative, as {shift} is.")
    if least < 0 or most < least:
        raise BadOption(f"augment gain: 0 <= least <= most, not {least} and {most}.")

    def change(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        ends = (least, most) if most else (-spread, spread)
        draws = np.stack([rng.uniform(*ends, size=batch.shape[1]) for rng in rngs])
        factors = torch.from_numpy(draws if most else np.exp(draws)).to(batch.device, batch.dtype)
        changed = batch * factors[:, :, None, None]
        if shift:
            levels = np.stack([rng.uniform(-shift, shift, size=batch.shape[1]) for rng in rngs])
            deviation = batch.std(dim=(2, 3), correction=0, keepdim=True)
            changed = changed + torch.from_numpy(levels).to(batch)[:, :, None, None] * deviation
        return changed

    def gain(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        # No draw is spent where all are changed.
        return change(batch, rngs) if chance == 1 else sometimes(batch, rngs, change, chance=chance)

    return gain
