"""Seeds as pure functions of where a training stands.

Nothing here remembers anything, so a resumed training cannot differ from an undisturbed one.
"""

import numpy as np
import numpy.typing as npt


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
