"""Take away nearly all of the protein's stain, and with it every label: that is what Negative is.

Source: the HPA 2021 system AllDataAreExt & Galixir: green times 0 to 0.1 in 5 % of the images.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Change, ForPanel, Panel
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance

_PART = "dim_protein"


def build(chance: float = 0.05, most: float = 0.1, channel: str = "protein") -> ForPanel:
    """Make the augmentation.

    Args:
        chance: Share of the images.
        most: What is left of the stain is drawn evenly from 0 to this factor, in 0..1.
        channel: Role or name of the channel.
    """
    check_chance(_PART, chance)
    if not 0 <= most <= 1:
        raise BadOption(f"augment {_PART}: most lies in 0..1, not {most}.")

    def bind(panel: Panel) -> Change:
        protein = panel.need_channel(_PART, channel)

        def dim_protein(
            batch: Tensor, targets: Tensor, rngs: Sequence[np.random.Generator]
        ) -> tuple[Tensor, Tensor]:
            pixels, labels = batch.clone(), targets.clone()
            for place, rng in enumerate(rngs):
                if rng.random() < chance:
                    pixels[place, protein] *= rng.uniform(0, most)
                    labels[place] = 0
            return pixels, labels

        return dim_protein

    return ForPanel(bind, relabels=True)
