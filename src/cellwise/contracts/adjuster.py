"""What an adjuster is given and gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """The scored cells of a run, labelled or not.

    Args:
        field: `[cell]`, a number per field, from 0.
        field_logits: `[cell, class]`, the score of each cell's whole field; None where the step
            names no score of fields.
        area: `[cell]` in pixels.
        border: `[cell]`, whether the cell touches the edge of the image.
    """

    field: npt.NDArray[np.int64]
    field_logits: Floats | None
    area: Floats
    border: npt.NDArray[np.bool_]


# (logits [cell, positive class], the cells) -> logits of the same shape.
Adjuster = Callable[[Floats, Cells], Floats]
