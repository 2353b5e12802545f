"""Drawing cells at random from strata, with known chances, where each judged cell tells most.

What is asked of each class is the share of inherited positives that are false, and of positives
that are missed. A judged cell tells of the first where its field has the class and the model is
unsure, and of the second where the field lacks the class and the model sees it all the same; of
rare classes each cell tells more. Strata are of cells that tell about as much.

Sources: stratified sampling with allocation by deviation, Neyman 1934 (Journal of the Royal
Statistical Society 97:558); bounds of strata at equal steps of the summed deviation, Dalenius and
Hodges 1959 (Journal of the American Statistical Association 54:88).
"""

import numpy as np
import numpy.typing as npt

from cellwise.measures.bootstrap import Floats, Groups

_STRATA = 10
# Of the steps between strata, the part that is of equal numbers of cells.
_IN_PROPORTION = 0.2
# A model that is sure may be wrong.
_LEAST_SPREAD = 0.05
# Missed cells are so rare that most draws find none: false ones come first.
_MISSED = 0.3


def worth(inherited: npt.NDArray[np.bool_], chance: Floats) -> Floats:
    """`[cell]`: how much it tells to judge a cell, in no unit.

    Args:
        inherited: `[cell, class]`, whether the cell's field has the class.
        chance: `[cell, class]` in 0..1, what a model says that has not seen the field.
    """
    cells = np.maximum(inherited.sum(axis=0), 1).astype(np.float64)
    positives = np.maximum(chance.sum(axis=0), np.maximum(0.3 * cells, 1))
    unsure = chance * (1 - chance) + _LEAST_SPREAD
    false = (inherited * unsure / cells**2).sum(axis=1)
    missed = (~inherited * chance**2 / positives**2).sum(axis=1)
    found: Floats = np.sqrt(false + _MISSED * missed)
    return found


def strata_of(score: Floats, random: np.random.Generator) -> Groups:
    """`[cell]`: numbers of strata from 0, the lowest scores first; equal scores by chance.

    Ten strata, fewer of few cells, hold about equal shares of the summed score.

    Args:
        score: `[cell]`, not negative.
        random: Source of chance.
    """
    count = len(score)
    order = np.lexsort((random.random(count), score))
    summed = np.cumsum(score[order])
    even = np.arange(1, count + 1) / count
    if summed[-1] > 0:
        even = _IN_PROPORTION * even + (1 - _IN_PROPORTION) * summed / summed[-1]
    step = np.minimum((even * _STRATA).astype(np.int64), _STRATA - 1)
    found = np.empty(count, np.int64)
    found[order] = step
    return np.unique(found, return_inverse=True)[1].reshape(-1).astype(np.int64)


def drawn_by_strata(
    stratum: Groups, count: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Places of drawn cells in an order of chance; as many of each stratum, as far as it has them.

    Args:
        stratum: `[cell]`, numbers from 0, none of them empty.
        count: Cells to draw; at least one of each stratum is, and at most all.
        random: Source of chance.
    """
    there = np.bincount(stratum)
    each = np.ones(len(there), np.int64)
    # Lowest first filled up: what a small stratum lacks goes to the others.
    while each.sum() < min(count, there.sum()):
        left = min(count, int(there.sum())) - int(each.sum())
        open_ = np.flatnonzero(each < there)
        more = max(left // len(open_), 1)
        for number in open_[: left if more == 1 else None].tolist():
            each[number] += min(more, there[number] - each[number])
    chosen = [
        random.choice(np.flatnonzero(stratum == number), int(size), replace=False)
        for number, size in enumerate(each)
    ]
    return random.permutation(np.concatenate(chosen))
