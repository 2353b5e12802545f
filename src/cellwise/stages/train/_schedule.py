"""Pure functions of where a training stands: seeds, when to stop.

Nothing here remembers anything, so a resumed training cannot differ from an undisturbed one.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# An improvement smaller than this share of the best cost so far is none.
_LEAST_GAIN = 0.001


def rate_factor(progress: float) -> float:
    """Share of the learning rate at `progress` in 0..1 by the schedule `one_cycle`."""
    from cellwise.parts.schedules.one_cycle import build
    from cellwise.parts.schedules._moment import Moment

    return build()(Moment(0, 1, 0, 1)) if progress == 0 else _at(progress)


def _at(progress: float) -> float:
    import math

    if progress < 0.2:
        return 0.04 + 0.96 * progress / 0.2
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.2) / 0.8))


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
        if cost < costs[best] - _LEAST_GAIN * abs(costs[best]):
            best = epoch
    return best


def should_stop(costs: Sequence[float], patience: int) -> bool:
    """Whether `patience` epochs went by without improvement; never for patience 0."""
    return bool(patience) and bool(costs) and len(costs) - 1 - best_epoch(costs) >= patience
