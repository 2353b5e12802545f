"""Fields and maps brought to another size, by area when shrinking and smoothly when growing."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate


def shrunk(crops: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Crops `[cell, channel, y, x]` of this side; as they are where `size` is 0 or they have it."""
    if not size or crops.shape[-1] == size:
        return crops
    return np.asarray(resize(torch.from_numpy(crops), size, size).numpy(), np.float32)


def resize(pixels: Tensor, height: int, width: int, *, bicubic: bool = False) -> Tensor:
    """`[item, channel, y, x]` at another size; shrinking does not alias, growing is bilinear.

    With `bicubic` curves are cubic, and values may lie a little beyond those of the pixels. Edges
    of the image stay edges: pixel corners are aligned, not centres.
    """
    if pixels.shape[-2:] == (height, width):
        return pixels
    mode = "bicubic" if bicubic else "bilinear"
    return interpolate(pixels.to(torch.float32), (height, width), mode=mode, antialias=True)
