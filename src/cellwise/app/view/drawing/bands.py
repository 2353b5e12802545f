"""Colouring a band of rows at a time: what is needed on the way stays small, and in the caches."""

from collections.abc import Callable, Sequence

import numpy as np

from cellwise.parts.drawing.images import Levels, blend

_PIXELS = 1 << 16


def blended(
    levels: Callable[[slice], Levels],
    size: tuple[int, int],
    colours: Sequence[tuple[float, float, float]],
) -> Levels:
    """The image `[y, x, rgb]` that `blend` makes.

    Args:
        levels: Rows of the image, `[channel, y, x]` in 0..255.
        size: Its height and width.
        colours: One for each channel; black without any.
    """
    image = np.zeros((*size, 3), np.uint8)
    step = max(1, _PIXELS // max(1, size[1]))
    if colours:
        for start in range(0, size[0], step):
            rows = slice(start, min(start + step, size[0]))
            image[rows] = blend(levels(rows), colours)
    return image
