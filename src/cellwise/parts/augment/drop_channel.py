"""Blank one channel by chance, so that no channel alone carries the answer.

Source: dropout of whole feature maps (Tompson et al. 2015, arXiv 1411.4280), here of channels of
the image; the protein is kept, as the labels of HPA data speak of nothing else.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Change, ForPanel, Panel
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes

_PROTEIN = ("protein",)


def build(chance: float = 0.1, keep: Sequence[str] = _PROTEIN) -> ForPanel:
    """Make the augmentation.

    Args:
        chance: Share of the images that lose one of their channels.
        keep: Roles or names of channels that are never lost.
    """
    check_chance("drop_channel", chance)

    def bind(panel: Panel) -> Change:
        named = tuple(keep) != _PROTEIN
        # Data without a protein need not say so; any other name has to be there.
        find = (lambda role: panel.need_channel("drop_channel", role)) if named else panel.channel
        kept = {find(role) for role in keep}
        free = [place for place in range(len(panel.channels)) if place not in kept]
        if not free or len(panel.channels) < 2:
            raise BadOption("augment drop_channel: no channel is left that could be lost.")

        def blank(pixels: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
            for item, rng in zip(pixels, rngs, strict=True):
                item[free[int(rng.integers(len(free)))]] = 0
            return pixels

        def drop_channel(
            batch: Tensor, targets: Tensor, rngs: Sequence[np.random.Generator]
        ) -> tuple[Tensor, Tensor]:
            return sometimes(batch, rngs, blank, chance=chance), targets

        return drop_channel

    return ForPanel(bind)
