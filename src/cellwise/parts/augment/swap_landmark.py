"""Put a landmark's stain in the protein's place: then the protein is that landmark alone.

Channels are named by what they show, so that the image of the microtubules can only teach
Microtubules.

Source: the HPA 2021 system AllDataAreExt & Galixir: green := red or yellow, times 1.0 to 0.6, in
2.5 % of the images each. There an order of channels that was mistaken taught the nucleus as
Microtubules; what was meant is what is done here.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from cellwise.contracts.augmentation import Change, ForPanel, Panel
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance

_PART = "swap_landmark"
_HPA = {"microtubule": "Microtubules", "er": "Endoplasmic reticulum"}


def build(
    chance: float = 0.05,
    least: float = 0.6,
    landmarks: Mapping[str, str] | None = None,
    channel: str = "protein",
) -> ForPanel:
    """Make the augmentation.

    Args:
        chance: Share of the images, all landmarks together.
        least: The landmark's stain is taken times a factor drawn evenly from this to 1.
        landmarks: Role or name of a landmark's channel, and the class it then is; None for the
            microtubules and the ER of HPA images.
        channel: Role or name of the protein's channel.
    """
    check_chance(_PART, chance)
    if not 0 <= least <= 1:
        raise BadOption(f"augment {_PART}: least lies in 0..1, not {least}.")
    wanted = dict(landmarks or _HPA)

    def bind(panel: Panel) -> Change:
        protein = panel.need_channel(_PART, channel)
        pairs = [(panel.need_channel(_PART, role), _class(panel, wanted[role])) for role in wanted]

        def swap_landmark(
            batch: Tensor, targets: Tensor, rngs: Sequence[np.random.Generator]
        ) -> tuple[Tensor, Tensor]:
            pixels, labels = batch.clone(), targets.clone()
            for place, rng in enumerate(rngs):
                if rng.random() < chance:
                    landmark, label = pairs[int(rng.integers(len(pairs)))]
                    pixels[place, protein] = batch[place, landmark] * rng.uniform(least, 1)
                    labels[place] = 0
                    labels[place, label] = 1
            return pixels, labels

        return swap_landmark

    return ForPanel(bind, relabels=True)


def _class(panel: Panel, name: str) -> int:
    if name not in panel.classes:
        raise BadOption(
            f"augment {_PART}: {name!r} is not one of the classes ({', '.join(panel.classes)})."
        )
    return panel.classes.index(name)
