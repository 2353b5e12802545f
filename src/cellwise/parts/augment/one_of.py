"""One draw for each image decides which of several changes it gets, if any: never two of them.

    augment: [{name: one_of, of: [dim_protein, swap_landmark, {name: gain, least: 0.6, most: 1.1}],
               shares: [0.05, 0.05, 0.05]}]

A change's own `chance` is drawn besides; leave it at 1.

Source: the HPA 2021 system AllDataAreExt & Galixir, where one number decides whether a protein is
dimmed, replaced by a landmark or the image made darker, some of it in some folds only; and the
groups of distortions and of holes, of which an image gets one, of the system of Riedel.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Change, ForPanel, Panel, bound
from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations

SHELVES = {"of": "cellwise.parts.augment"}


def build(
    of: Sequence[str | dict[str, Any]],
    shares: Sequence[float],
    folds: Mapping[int, Sequence[int]] | None = None,
) -> ForPanel:
    """Make the augmentation.

    Args:
        of: The changes, by name or as `{name: ..., option: value}`.
        shares: Share of the images that get each, 0 or more, together at most 1.
        folds: Place of a change in `of`, from 0, and the folds whose models alone are taught with
            it (a model is that of the fold that it does not see); those not named are for all.
    """
    parts = [augmentations.build(spec) for spec in of]
    given = [float(share) for share in shares]
    if not parts or len(given) != len(parts) or min(given) < 0 or sum(given) > 1 + 1e-9:
        raise BadOption(
            f"augment one_of: one share, 0 or more, for each of {len(parts)} changes, together at "
            f"most 1, not {list(shares)}."
        )
    only = {int(place): frozenset(own) for place, own in (folds or {}).items()}
    if any(not 0 <= place < len(parts) for place in only):
        raise BadOption(f"augment one_of: folds names places 0 to {len(parts) - 1} in `of`.")
    ends = np.cumsum(given)

    def bind(panel: Panel) -> Change:
        changes = [bound(part, panel) for part in parts]
        held = [place not in only or panel.fold in only[place] for place in range(len(parts))]

        def one_of(
            batch: Tensor, targets: Tensor, rngs: Sequence[np.random.Generator]
        ) -> tuple[Tensor, Tensor]:
            drawn = np.searchsorted(ends, [rng.random() for rng in rngs], side="right")
            pixels, labels = batch.clone(), targets.clone()
            for place, change in enumerate(changes):
                chosen = np.flatnonzero(drawn == place)
                if not held[place] or not len(chosen):
                    continue
                at = torch.from_numpy(chosen).to(batch.device)
                some = [rngs[item] for item in chosen.tolist()]
                pixels[at], labels[at] = change(batch[at], targets[at], some)
            return pixels, labels

        return one_of

    relabels = any(isinstance(part, ForPanel) and part.relabels for part in parts)
    return ForPanel(bind, relabels=relabels)
