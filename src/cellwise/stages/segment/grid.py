"""Square tiles stand for cells, where cells cannot or need not be told apart.

Source: the tiles of the RxRx1 solutions, which treat a part of a field as one example.
"""

from typing import Annotated

import numpy as np
from pydantic import Field as Limits

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks
from cellwise.store.run.masks import narrow


def build(tile: Annotated[int, Limits(ge=1)] = 256) -> Segmenter:
    """Make the segmenter; tiles are numbered 1..n row by row, and each is its own nucleus.

    Args:
        tile: Side in pixels. What is left over at the right and lower edge is a tile of its own
            from half a side on, else background; a field smaller than that is one tile.
    """

    def grid(field: Field) -> Masks:
        height, width = field.pixels.shape[1:]
        rows, columns = _starts(height, tile), _starts(width, tile)
        down, right = np.arange(height) // tile, np.arange(width) // tile
        labels = down[:, None] * columns + right[None, :] + 1
        labels[down >= rows, :] = 0
        labels[:, right >= columns] = 0
        tiles = narrow(labels)
        return Masks(tiles, tiles)

    return grid


def _starts(length: int, tile: int) -> int:
    whole, rest = divmod(length, tile)
    return max(whole + (2 * rest >= tile), 1)
