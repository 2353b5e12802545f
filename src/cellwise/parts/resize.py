"""Fields and maps brought to another size, by area when shrinking and smoothly when growing."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def resize(pixels: Tensor, height: int, width: int) -> Tensor:
    """`[item, channel, y, x]` at another size; shrinking does not alias, growing is bilinear.

    Edges of the image stay edges: pixel corners are aligned, not centres.
    """
    if pixels.shape[-2:] == (height, width):
        return pixels
    return interpolate(pixels.to(torch.float32), (height, width), mode="bilinear", antialias=True)
