"""Fields and maps brought to another size, by area when shrinking and smoothly when growing."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def resize(pixels: Tensor, height: int, width: int, *, bicubic: bool = False) -> Tensor:
    """`[item, channel, y, x]` at another size; shrinking does not alias, growing is bilinear.

    With `bicubic` curves are cubic, and values may lie a little beyond those of the pixels. Edges
    of the image stay edges: pixel corners are aligned, not centres.
    """
    if pixels.shape[-2:] == (height, width):
        return pixels
    mode = "bicubic" if bicubic else "bilinear"
    return interpolate(pixels.to(torch.float32), (height, width), mode=mode, antialias=True)
