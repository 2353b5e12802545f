"""How an order is drawn and cut into batches."""

import numpy as np

from cellwise.contracts.batch import Positions, When


def generator(when: When) -> np.random.Generator:
    """The generator of one epoch's order."""
    return np.random.default_rng((when.seed, when.epoch))


def even_batches(order: Positions, size: int) -> list[Positions]:
    """Cut into the fewest batches of at most `size`, as equal as can be.

    A small last batch would make one step noisier than the others.
    """
    count = -(-len(order) // size)
    return list(np.array_split(order, count)) if count else []
