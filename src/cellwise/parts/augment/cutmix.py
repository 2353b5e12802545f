"""A rectangle of each image is that of another image of the batch, and labels are shared alike.

Source: Yun et al. 2019 (arXiv 1905.04899); alpha 1 as the winner of the RxRx1 challenge used it.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Change, ForPanel, Panel
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance

# What an image becomes depends on the others of its batch.
NEEDS = ("company",)


def build(alpha: float = 1.0, chance: float = 1.0) -> ForPanel:
    """Make the augmentation.

    Args:
        alpha: The share of the image that stays is drawn from Beta(alpha, alpha); above 0.
        chance: Share of the images that get a rectangle of another.
    """
    check_chance("cutmix", chance)
    if not alpha > 0:
        raise BadOption(f"augment cutmix: alpha is above 0, not {alpha}.")

    def bind(panel: Panel) -> Change:
        def cutmix(
            batch: Tensor, targets: Tensor, rngs: Sequence[np.random.Generator]
        ) -> tuple[Tensor, Tensor]:
            height, width = batch.shape[2:]
            pixels, labels = batch.clone(), targets.clone()
            for item, rng in enumerate(rngs):
                if rng.random() >= chance:
                    continue
                other = int(rng.integers(len(batch)))
                top, left, down, across = _box(float(rng.beta(alpha, alpha)), height, width, rng)
                pixels[item, :, top:down, left:across] = batch[other, :, top:down, left:across]
                share = (down - top) * (across - left) / (height * width)
                labels[item] = (1 - share) * targets[item] + share * targets[other]
            return pixels, labels

        return cutmix

    return ForPanel(bind, relabels=True)


def _box(
    kept: float, height: int, width: int, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of a rectangle about a random place, cut off at the edge."""
    side = np.sqrt(1 - kept)
    y, x = int(rng.integers(height)), int(rng.integers(width))
    down, across = int(side * height) // 2, int(side * width) // 2
    return max(y - down, 0), max(x - across, 0), min(y + down, height), min(x + across, width)
