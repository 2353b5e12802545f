"""A site cut into equal tiles, row by row: each is an example of its own.

Source: the quadrants of 256 of 512 pixels, and tiles of 128, of the RxRx1 system of Lin & Lin.
"""

from torch import Tensor

from cellwise.errors import BadOption


def tiles_of(pixels: Tensor, side: int) -> Tensor:
    """`[n, tile, channel, side, side]` of `[n, channel, y, x]`, without the rest at the edge.

    Raises:
        BadOption: An image is smaller than a tile.
    """
    items, channels, height, width = pixels.shape
    down, across = tile_counts(height, width, side)
    cut = pixels[:, :, : down * side, : across * side]
    cut = cut.reshape(items, channels, down, side, across, side)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(items, down * across, channels, side, side)


def tile_counts(height: int, width: int, side: int) -> tuple[int, int]:
    """How many whole tiles lie below and beside each other.

    Raises:
        BadOption: An image is smaller than a tile.
    """
    if side < 1 or height < side or width < side:
        raise BadOption(f"Tiles of {side} pixels do not fit into images of {height} x {width}.")
    return height // side, width // side
