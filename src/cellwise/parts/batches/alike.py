"""Batches of items from one place: one plate, one experiment or one cell type.

A network that normalises over the batch then sees one batch effect at a time, which it takes away.

Source: mini-batches of one experiment and of one plate in the RxRx1 challenge (5th place), and
prediction plate by plate of Lin & Lin (26th).
"""

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.errors import BadOption
from cellwise.parts.batches._order import even_batches, generator

LEVELS = ("plate", "experiment", "cell_type")


def build(level: str = "plate") -> Sampler:
    """Make the sampler; every item comes once an epoch, those of no known place among themselves.

    Args:
        level: What the items of a batch have in common: `plate`, `experiment` or `cell_type`.
    """
    if level not in LEVELS:
        raise BadOption(f"batch alike: level is one of {', '.join(LEVELS)}, not {level!r}.")

    def alike(pool: Pool, batch: int, when: When) -> list[Positions]:
        if not len(pool):
            return []
        rng = generator(when)
        place = pool.place(level)
        found = [
            part
            for number in np.unique(place)
            for part in even_batches(rng.permutation(np.flatnonzero(place == number)), batch)
        ]
        return [found[k] for k in rng.permutation(len(found))]

    return alike
