"""Progressive pseudo-labels: the surest answers of new wells, more of them round by round.

Each round is a step of the recipe that takes a larger share, after a training from the last one. A
treatment is taken at most once on a plate: of several wells that answer alike the surest keeps
it, since a plate holds each treatment once.

Source: the winner of the RxRx1 challenge (Sypetkowski 2019), who added ever more of the surest test
wells to the training; consensus of models as the 2nd.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def surest(answer: Numbers, confidence: Floats, plate: Numbers, *, share: float) -> Flags:
    """`[well]`: whether its answer is taken as a label.

    Args:
        answer: Class numbers, -1 for none.
        confidence: Higher is surer; the first of equally sure wells goes first.
        plate: Plate numbers.
        share: Of each plate's wells that are taken, 0..1, rounded down.
    """
    taken = np.zeros(len(answer), np.bool_)
    for number in np.unique(plate):
        wells = np.flatnonzero(plate == number)
        order = wells[np.argsort(-confidence[wells], kind="stable")]
        order = order[answer[order] >= 0]
        _, first = np.unique(answer[order], return_index=True)
        taken[order[np.sort(first)][: int(share * len(wells) + 1e-9)]] = True
    return taken


def agreed(answers: Numbers) -> Numbers:
    """`[well]`: the class that all members `[member, well]` answer, -1 where they differ."""
    return np.where((answers == answers[0]).all(axis=0), answers[0], -1)


def teachers_left_out(folds: Collection[int | None]) -> int | None:
    """The fold that all who answered new wells have left out; None for none, or several.

    Args:
        folds: That the models of all members left out, as their scores of labelled sites say.
    """
    known = {fold for fold in folds if fold is not None}
    return known.pop() if len(known) == 1 else None
