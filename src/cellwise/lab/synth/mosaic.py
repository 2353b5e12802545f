"""Images of single cells side by side as one field, with the masks that belong to it.

Source: the 3 x 3 mosaics of the weak bags that come with the MitoCheck cells.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

from cellwise.domain.records import Masks

Pixels = npt.NDArray[np.uint8]


def columns_for(count: int) -> int:
    """Tiles per row of the squarest mosaic of `count` tiles."""
    return max(1, math.isqrt(max(count, 1) - 1) + 1)


def mosaic(tiles: npt.NDArray[Any], columns: int) -> npt.NDArray[Any]:
    """Tiles `[tile, side, side]` as one image, row by row; places left over are 0."""
    count, side = len(tiles), tiles.shape[-1]
    rows = -(-count // columns)
    full = np.zeros((rows * columns, side, side), tiles.dtype)
    full[:count] = tiles
    joined = full.reshape(rows, columns, side, side).swapaxes(1, 2)
    return joined.reshape(rows * side, columns * side)


def mosaic_masks(tiles: Pixels, columns: int) -> Masks:
    """Cells 1, 2, 3... are whole tiles, row by row; nuclei as `middle_nucleus` finds them."""
    numbers = np.arange(1, len(tiles) + 1, dtype=np.uint16)
    cells = np.broadcast_to(numbers[:, None, None], tiles.shape)
    inside = np.stack([middle_nucleus(tile) for tile in tiles])
    return Masks(mosaic(cells, columns), mosaic(np.where(inside, cells, 0), columns))


def middle_nucleus(tile: Pixels) -> npt.NDArray[np.bool_]:
    """The bright piece nearest to the middle of a tile, brighter than Otsu's threshold.

    A plain stand-in for a nucleus mask: of a cell in several pieces it is one piece. A tile of one
    grey value has no nucleus.
    """
    if tile.min() == tile.max():
        return np.zeros(tile.shape, bool)
    pieces, _ = ndimage.label(tile > threshold_otsu(tile), structure=np.ones((3, 3)))
    y, x = np.nonzero(pieces)
    middle = (np.array(tile.shape) - 1) / 2
    nearest = int(np.argmin(np.hypot(y - middle[0], x - middle[1])))
    found: npt.NDArray[np.bool_] = pieces == pieces[y[nearest], x[nearest]]
    return found
