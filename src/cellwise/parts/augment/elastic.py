"""Shear and bend as if the image were drawn on rubber.

Three corners of a square about the middle are moved by chance, and with them the whole image; on
top of that each pixel is moved a little, neighbours together.

Source: Simard, Steinkraus and Platt 2003 (ICDAR, 958); strength 1, smoothness 20 and corners by 10
pixels of 640 in the HPA 2021 system of Riedel.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes
from cellwise.parts.augment._warp import own_places, taken_from


def build(
    alpha: float = 1.0, sigma: float = 20.0, corners: float = 10.0, chance: float = 1.0
) -> Augment:
    """Make the augmentation.

    Args:
        alpha: Pixels that noise of -1 to 1 stands for before it is made smooth, 0 or more.
        sigma: Deviation in pixels of the bell that makes it smooth, above 0.
        corners: Largest move of a corner in pixels, either way, 0 or more.
        chance: Share of the images that are changed.
    """
    check_chance("elastic", chance)
    if alpha < 0 or sigma <= 0 or corners < 0:
        raise BadOption("augment elastic: alpha and corners are not negative, sigma is above 0.")

    def bend(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        own = own_places(batch)
        moved = []
        for rng in rngs:
            by = torch.from_numpy(_affine(rng, tuple(batch.shape[2:]), corners)).to(own)
            noise = rng.uniform(-1, 1, size=(2, *batch.shape[2:]))
            bent = [gaussian_filter(plane, sigma) * alpha for plane in noise]
            smooth = torch.from_numpy(np.stack(bent, axis=2)).to(own)
            moved.append(own @ by[:, :2].T + by[:, 2] + smooth)
        return taken_from(batch, torch.stack(moved))

    def elastic(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, bend, chance=chance)

    return elastic


def _affine(
    rng: np.random.Generator, shape: tuple[int, ...], corners: float
) -> npt.NDArray[np.float64]:
    """`[2, 3]`: where each place comes from, for three corners moved by chance."""
    middle, reach = np.array(shape[::-1]) / 2, max(min(shape) // 3, 1)
    before = middle + np.array([[reach, reach], [reach, -reach], [-reach, -reach]])
    after = before + rng.uniform(-corners, corners, size=(3, 2))
    full = np.concatenate([after, np.ones((3, 1))], axis=1)
    return np.linalg.solve(full, before).T
