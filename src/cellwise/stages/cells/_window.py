"""How large a piece of the field is cut out around each cell, and how many cells are larger."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Of 100 cells so many fit; a window for the largest would show the neighbours of all others.
_FIT = 95
_LEAST = 8
# Fewer cells than this say little of all.
_FEW = 10


def window_of(size: int, sides: Sequence[int]) -> tuple[float, str]:
    """Side of the window in pixels of the field, and a sentence that says where it comes from.

    Args:
        size: Side of the crops, which is taken where there are too few cells to measure.
        sides: Longer sides of the boxes of cells that lie whole in their field.
    """
    if len(sides) < _FEW:
        return float(size), f"window {size} px, as the crops: too few whole cells to measure"
    fit = float(np.percentile(np.asarray(sides), _FIT))
    # Even, so that the middle of a cell is the middle of its crop.
    window = max(_LEAST, 2 * int(np.ceil(fit / 2)))
    return float(
        window
    ), f"window {window} px, in which {_FIT} of 100 cells fit ({len(sides)} seen)"


def cut_share(sides: npt.NDArray[Any], window: float | None) -> float:
    """The share of cells in 0..1 that are larger than the window; 0 where each has its own."""
    if window is None or not len(sides):
        return 0.0
    return float((sides > window).mean())
