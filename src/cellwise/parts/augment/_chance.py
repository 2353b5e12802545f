"""Doing something to some of the items only."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.errors import BadOption

Generators = Sequence[np.random.Generator]


def check_chance(name: str, chance: float) -> None:
    """Refuse a probability outside 0..1."""
    if not 0 <= chance <= 1:
        raise BadOption(f"augment {name}: chance lies in 0..1, not {chance}.")


def sometimes(
    batch: Tensor,
    rngs: Generators,
    change: Callable[[Tensor, Generators], Tensor],
    *,
    chance: float,
) -> Tensor:
    """`change` applied to the items whose own draw falls below `chance`; the others as they are."""
    chosen = [place for place, rng in enumerate(rngs) if rng.random() < chance]
    if not chosen:
        return batch
    places = torch.tensor(chosen, device=batch.device)
    result = batch.clone()
    result[places] = change(batch[places], [rngs[place] for place in chosen])
    return result
