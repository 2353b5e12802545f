"""What an adjuster is given and gives back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelSets:
    """Which labels fields were given together.

    Args:
        given: `[set, class]`, each set of labels that occurs, once; a set may be empty (Negative).
        count: `[fold, set]`, how many groups of the fold have it; one row where there are no folds.
        prior: `[class]` in 0..1, the mean probability of each class over cells out of fold.
        gain: How much better a group's labels follow from the sets that other groups have than from
            each label's frequency, in nats per group; -inf where too few groups tell.
    """

    given: Flags
    count: npt.NDArray[np.int64]
    prior: Floats
    gain: float


@dataclass(frozen=True, slots=True)
class Cells:
    """The scored cells of a run, labelled or not.

    Args:
        field: `[cell]`, a number per field, from 0.
        field_logits: `[cell, class]`, the score of each cell's whole field; None where the step
            names no score of fields.
        area: `[cell]` in pixels.
        border: `[cell]`, whether the cell touches the edge of the image.
        bag: `[cell]`, a number per sample, whose fields show one thing; None where each field is
            one.
        fold: `[cell]`, the fold of the cell's field, -1 without one; None for none at all.
        sets: Which labels go together; None where no field is labelled, or no adjuster asks.
        odd: `[cell]`, whether it has a quality flag other than that of the border; None if unknown.
        classes: Names of the classes, in the order of the scores; empty where nobody knows them.
    """

    field: npt.NDArray[np.int64]
    field_logits: Floats | None
    area: Floats
    border: npt.NDArray[np.bool_]
    bag: npt.NDArray[np.int64] | None = None
    fold: npt.NDArray[np.int64] | None = None
    sets: LabelSets | None = None
    odd: npt.NDArray[np.bool_] | None = None
    classes: tuple[str, ...] = ()


# (logits [cell, positive class], the cells) -> logits of the same shape.
Adjuster = Callable[[Floats, Cells], Floats]
