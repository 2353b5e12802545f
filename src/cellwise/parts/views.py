"""The eight ways to turn and mirror a square image, and how to undo each."""

import torch
from torch import Tensor

VIEWS = tuple(range(8))
# As it is, upside down and mirrored (a half turn), and mirrored each way.
FLIPS = (0, 2, 4, 6)


def turn(pixels: Tensor, view: int) -> Tensor:
    """View 0 is the image itself; 1 to 3 are quarter turns; 4 to 7 the same, then mirrored."""
    turned = torch.rot90(pixels, view % 4, dims=(-2, -1))
    return turned.flip(-1) if view >= 4 else turned


def turn_back(pixels: Tensor, view: int) -> Tensor:
    """Undo `turn`."""
    straight = pixels.flip(-1) if view >= 4 else pixels
    return torch.rot90(straight, -(view % 4), dims=(-2, -1))
