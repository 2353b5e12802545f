"""Whether votes speak for the groups that plates were given; a plate may be of none.

Two questions. Do the votes of an experiment's plates differ at all in the way its order says, more
than where the same votes are dealt out to its plates by chance? And does a plate vote as plates of
a known group do, or as a plate of other treatments would, whose answers lie in all groups alike?

Source: a permutation test of the largest sum (Good 2005); the rule is ours. Its level is high, and
odds for the second are 19 to 1: nearly every plate of such a screen is of a known group, which for
a weak network is worth more than the answers that a wrong one costs.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

_LEVEL, _DRAWS = 0.3, 199
_ODDS = 19.0
# Votes by which a share of few votes is held near to what it would be without them.
_HELD = 10.0


def best_order(count: Numbers) -> tuple[Numbers, Numbers, float]:
    """Plates, their groups (each group once) and the sum of shares that is largest.

    Args:
        count: `[plate, group]` votes of one experiment; not more plates than groups. They count as
            shares of what their group got, so that a group that is preferred everywhere does not
            take a plate for it.
    """
    votes = count.astype(np.float64)
    share = votes / np.maximum(votes.sum(axis=0, keepdims=True), 1)
    row, column = linear_sum_assignment(share, maximize=True)
    return row, column, float(share[row, column].sum())


def order_is_supported(count: Numbers) -> bool:
    """Whether an order fits better than 70 % of those of the same votes dealt out by chance."""
    total = count.sum(axis=1)
    votes = np.repeat(np.arange(count.shape[1]), count.sum(axis=0))
    plate = np.repeat(np.arange(len(count)), total)
    actual = best_order(count)[2]
    random = np.random.default_rng(0)
    above = 0
    for _ in range(_DRAWS):
        dealt = np.zeros_like(count)
        np.add.at(dealt, (plate, random.permutation(votes)), 1)
        above += best_order(dealt)[2] >= actual * (1 - 1e-9)
    return (above + 1) / (_DRAWS + 1) <= _LEVEL


def of_no_group(count: Numbers, of_plate: Numbers) -> Flags:
    """`[plate]`, which vote as plates of other treatments would, 19 times more likely than not.

    Args:
        count: `[plate, group]` votes of all plates.
        of_plate: Their groups; -1 for none.
    """
    groups, total = count.shape[1], count.sum(axis=1)
    own = np.where(of_plate >= 0, count[np.arange(len(count)), np.maximum(of_plate, 0)], 0)
    given = of_plate >= 0
    found = np.zeros(len(count), np.bool_)
    for plate in np.flatnonzero(given):
        others = given.copy()
        others[plate] = False
        group, rest = of_plate[plate], np.arange(len(count)) != plate
        alike = (own[others].sum() + _HELD / 2) / (total[others].sum() + _HELD)
        chance = (count[rest, group].sum() + _HELD / groups) / (total[rest].sum() + _HELD)
        if alike <= chance:
            continue
        for_none = own[plate] * np.log(chance / alike)
        for_none += (total[plate] - own[plate]) * np.log((1 - chance) / (1 - alike))
        found[plate] = for_none > np.log(_ODDS)
    return found
