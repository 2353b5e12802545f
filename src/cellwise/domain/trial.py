"""A few fields tried out before a run: what steps forecast their cost from."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.records import Field, Masks

# Of one step, where a recipe has few.
PATIENCE = 1.5


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying out a few fields gave.

    Args:
        field: One of the fields, or a piece of it.
        masks: Its cells.
        crops: `[cell, channel, y, x]` of some cells as the recipe cuts them, None without crops.
        channels: Of the crops.
        classes: The classes; None where there are no labels.
        sites: Fields of the folder that will be worked on.
        labelled: Those of them that have a label.
        cells: Cells of a field, the mean.
        folds: Models of one training, each without one fold; 1 where there is no split.
        named: Options of the steps of the recipe by kind and name, such as `train cell`.
        decode: Seconds to read a field; 0 where a step that finds cells has read them.
        patience: Seconds after which a step tries out no more.
        known: Seconds that were found before, by what was timed: the same is timed once.
    """

    field: Field
    masks: Masks
    crops: npt.NDArray[np.float32] | None
    channels: tuple[Channel, ...]
    classes: ClassList | None
    sites: int
    labelled: int
    cells: float
    folds: int
    named: Mapping[str, Mapping[str, Any]]
    decode: float = 0.0
    patience: float = PATIENCE
    known: dict[str, float] = dataclass_field(default_factory=dict)


def at_side(seconds: float, side: int, smaller: float, smaller_side: int, wanted: int) -> float:
    """Seconds for images of a side, from images of two smaller ones.

    A part of the time does not hang on the pixels (calls, weights) and is most of it for small
    images on a fast processor; the rest follows them.

    Args:
        seconds: For images of `side`.
        side: Pixels a side.
        smaller: Seconds for as many images of `smaller_side`.
        smaller_side: Pixels a side, fewer; the same where one side was tried.
        wanted: Pixels a side, as many as `side` or more.

    Returns:
        At most what would follow from the pixels alone, at least `seconds`.
    """
    if side == smaller_side or seconds <= smaller:
        # One side was tried, or the clock was too coarse.
        return seconds * wanted**2 / side**2
    follows = (seconds - smaller) / (side**2 - smaller_side**2)
    fixed = max(seconds - follows * side**2, 0.0)
    return max(fixed + (seconds - fixed) * wanted**2 / side**2, seconds)
