"""Turn by any angle, zoom and shift a little: position and size are not the answer.

Source: shift, scale and rotate of the HPA 2021 system AllDataAreExt & Galixir (45 degrees, 0.2,
0.2, in three quarters of the images, zero outside). By itself what comes in from outside is
mirrored, so that no black corner tells that an image was turned.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from cellwise.contracts.augmentation import Augment
from cellwise.errors import BadOption
from cellwise.parts.augment._chance import check_chance, sometimes

_PADDINGS = {"mirror": "reflection", "zero": "zeros"}


def build(
    rotate: float = 180.0,
    scale: float = 0.15,
    shift: float = 0.15,
    outside: str = "mirror",
    chance: float = 1.0,
    zoom: float = 0.0,
) -> Augment:
    """Make the augmentation; each item draws evenly from its ranges.

    Args:
        rotate: Largest angle in degrees, either way.
        scale: Largest zoom as a natural logarithm, either way: 0.15 is 0.86 to 1.16.
        shift: Largest shift as a fraction of the side, either way.
        outside: What lies beyond the image: `mirror` or `zero`.
        chance: Share of the images that are moved.
        zoom: Above 0, in place of `scale`: factors are drawn evenly from 1 less this to 1 and this;
            in 0..1, 1 excluded.
    """
    check_chance("affine", chance)
    if outside not in _PADDINGS:
        raise BadOption(f"augment affine: outside is mirror or zero, not {outside!r}.")
    if rotate < 0 or scale < 0 or not 0 <= shift <= 1:
        raise BadOption("augment affine: rotate and scale are not negative, shift lies in 0..1.")

    if not 0 <= zoom < 1:
        raise BadOption(f"augment affine: zoom lies in 0..1, 1 excluded, not {zoom}.")

    def move(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        draws = np.stack([rng.uniform(-1, 1, size=4) for rng in rngs])
        if zoom:
            draws[:, 1] = np.log1p(zoom * draws[:, 1])
        moves = _matrices(
            draws * [np.deg2rad(rotate), 1.0 if zoom else scale, 2 * shift, 2 * shift]
        )
        theta = torch.from_numpy(moves).to(batch.device, batch.dtype)
        # Half precision would place pixels on a coarse grid of their own.
        with torch.autocast(batch.device.type, enabled=False):
            grid = affine_grid(theta, list(batch.shape), align_corners=False)
            return grid_sample(batch, grid, padding_mode=_PADDINGS[outside], align_corners=False)

    def affine(batch: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        # No draw is spent where all are moved.
        return move(batch, rngs) if chance == 1 else sometimes(batch, rngs, move, chance=chance)

    return affine


def _matrices(moves: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Matrices `[item, 2, 3]` in the half-side units of `affine_grid`, for angle, zoom, x, y."""
    angle, zoom = moves[:, 0], np.exp(-moves[:, 1])
    result = np.empty((len(moves), 2, 3), np.float32)
    result[:, 0, 0] = result[:, 1, 1] = np.cos(angle) * zoom
    result[:, 1, 0] = np.sin(angle) * zoom
    result[:, 0, 1] = -result[:, 1, 0]
    result[:, :, 2] = moves[:, 2:]
    return result
