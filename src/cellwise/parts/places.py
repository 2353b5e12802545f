"""Which places of a coarse map each cell of a field answers from.

Source: pooling of one map under many regions as in Fast R-CNN (Girshick 2015, arXiv 1504.08083).
"""

import torch
from torch import Tensor

# A place belongs to the cell that covers at least this share of it.
_COVERED = 0.5


def coverage(masks: Tensor, numbers: Tensor, height: int, width: int) -> Tensor:
    """How much of each place of a map each cell covers, `[cell, height * width]` in 0..1.

    Args:
        masks: Cell numbers `[y, x]`, finer than the map.
        numbers: Those wanted, rising.
        height: Places down.
        width: Places across.
    """
    down = torch.arange(masks.shape[0]) * height // masks.shape[0]
    across = torch.arange(masks.shape[1]) * width // masks.shape[1]
    place = down[:, None] * width + across[None, :]
    known = torch.searchsorted(numbers, masks).clamp_max(len(numbers) - 1)
    hit = (numbers[known] == masks) & (masks > 0)
    count = height * width
    together = torch.bincount(known[hit] * count + place[hit], minlength=len(numbers) * count)
    pixels = torch.bincount(place.flatten(), minlength=count).clamp_min(1)
    return together.view(len(numbers), count) / pixels


def places_of(covered: Tensor) -> list[Tensor]:
    """The places that each cell answers from: those it mostly covers, or the one it covers most."""
    chosen = []
    for own in covered:
        mostly = (own >= _COVERED).nonzero()[:, 0]
        chosen.append(mostly if len(mostly) else own.argmax()[None])
    return chosen
