"""Pure functions of where a training stands: seeds, when to stop.

Nothing here remembers anything, so a resumed training cannot differ from an undisturbed one.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# An improvement smaller than this share of the best cost so far is none.
_LEAST_GAIN = 0.001


def derived_seed(*numbers: int) -> int:
    """One seed for several numbers, none of which is lost: (seed, epoch, batch) and the like."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def item_generators(
    positions: npt.NDArray[np.int64], seed: int, *, epoch: int
) -> list[np.random.Generator]:
    """A generator per item, from (seed, epoch, item); a cell twice in a bag gets another one."""
    met: dict[int, int] = {}
    generators = []
    for position in positions.tolist():
        again = met[position] = met.get(position, -1) + 1
        generators.append(np.random.default_rng((seed, epoch, position, again)))
    return generators


def best_epoch(costs: Sequence[float]) -> int:
    """The last epoch (from 0) that was better than all before by more than a trifle."""
    best = 0
    for epoch, cost in enumerate(costs):
        least = costs[best]
        if not math.isfinite(least):
            # An epoch without a number is beaten by any that has one.
            best = epoch if math.isfinite(cost) else best
        elif cost < least - _LEAST_GAIN * abs(least):
            best = epoch
    return best


def should_stop(costs: Sequence[float], patience: int) -> bool:
    """Whether `patience` epochs went by without improvement; never for patience 0."""
    return bool(patience) and bool(costs) and len(costs) - 1 - best_epoch(costs) >= patience
