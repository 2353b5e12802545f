"""Images taken from other places than their own: what all distortions share."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


def own_places(batch: Tensor) -> Tensor:
    """`[y, x, 2]`: the place (x, y) of each pixel of a batch, in pixels from the upper left one."""
    height, width = batch.shape[2:]
    rows = torch.arange(height, dtype=torch.float32, device=batch.device)
    columns = torch.arange(width, dtype=torch.float32, device=batch.device)
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([across, down], dim=2)


def taken_from(batch: Tensor, places: Tensor) -> Tensor:
    """Pixels `[item, channel, y, x]` from places `[item, y, x, 2]`, mirrored beyond the edge."""
    height, width = batch.shape[2:]
    size = torch.tensor([width, height], dtype=torch.float32, device=batch.device)
    grid = (2 * places + 1) / size - 1
    # Half precision would place pixels on a coarse grid of their own.
    with torch.autocast(batch.device.type, enabled=False):
        return grid_sample(
            batch, grid.to(batch.dtype), padding_mode="reflection", align_corners=False
        )
