"""Stretch and squeeze: rows and columns of a coarse grid get other heights and widths.

Source: "grid distortion" of the library albumentations (Buslaev et al. 2020); 6 steps, up to a
tenth either way, in the HPA 2021 system of Riedel.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes
from cellwise.parts.augment._warp import taken_from


def build(steps: int = 6, most: float = 0.1, chance: float = 1.0) -> Augment:
    """Make the augmentation.

    Args:
        steps: Rows and columns of the grid, 1 or more.
        most: Largest change of the size of each as a share of it, either way, in 0..1.
        chance: Share of the images that are changed.
    """
    check_chance("grid_distortion", chance)
    if steps < 1 or not 0 <= most < 1:
        raise BadOption("augment grid_distortion: steps is at least 1, most lies in 0..1.")

    def stretch(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        places = []
        for rng in rngs:
            across, down = (
                _places(rng.uniform(1 - most, 1 + most, steps), side)
                for side in (batch.shape[3], batch.shape[2])
            )
            rows, columns = np.meshgrid(down, across, indexing="ij")
            places.append(np.stack([columns, rows], axis=2))
        return taken_from(batch, torch.from_numpy(np.stack(places)).to(batch.device, torch.float32))

    def grid_distortion(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        return sometimes(batch, rngs, stretch, chance=chance)

    return grid_distortion


def _places(factors: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """`[side]`: the place that each pixel comes from, when a step takes `factor` steps of old."""
    edges = np.linspace(0, side, len(factors) + 1)
    taken = np.concatenate([[0], np.cumsum(factors)]) * side / len(factors)
    found: npt.NDArray[np.float64] = np.interp(np.arange(side) + 0.5, edges, taken) - 0.5
    return found
