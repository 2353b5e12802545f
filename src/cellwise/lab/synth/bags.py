"""Bags of real cells: which cells share a field, so that the field's labels say little of each.

Two rules. `mixed_bags` puts cells of 3 to 5 classes together, each cell in at most one bag: a cell
met in two bags would give its class away, as the labels that both bags have. `place_bags` takes the
bags that nature made: the cells of one well.

Source: the weak bags that come with the MitoCheck cells; for the warning, the intersection of
candidate labels in partial-label learning (Cour, Sapp and Taskar 2011, JMLR 12, 1501).
"""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.randomness import generator

Ints = npt.NDArray[np.int64]

_FEWEST, _MOST = 3, 5


def mixed_bags(classes: Ints, folds: Ints, *, seed: int, size: int = 9) -> list[Ints]:
    """Bags of `size` cells of one fold that show 3 to 5 classes, every cell at most once.

    Classes and then cells are drawn by how many cells of them are left, so that no class is used up
    long before the others. Cells that can make no further bag stay unused.

    Args:
        classes: `[cell]`, the one class of each cell.
        folds: `[cell]`, cells of different folds never meet.
        seed: Other seeds give other bags.
        size: Cells in a bag, at least 5.

    Returns:
        Positions of the cells of each bag in random order; bags sorted by fold.
    """
    if size < _MOST:
        raise ValueError(
            f"A bag of up to {_MOST} classes holds at least as many cells, not {size}."
        )
    bags: list[Ints] = []
    for fold in np.unique(folds).tolist():
        rng = generator(seed, "bags", fold)
        pools = [
            rng.permutation(np.flatnonzero((folds == fold) & (classes == name))).tolist()
            for name in np.unique(classes).tolist()
        ]
        bags += _from_pools(pools, rng, size)
    return bags


def place_bags(places: Sequence[Hashable]) -> list[Ints]:
    """One bag per place, in order of first appearance.

    Args:
        places: `[cell]`, such as its plate and well; equal where cells lie together.
    """
    members: dict[Hashable, list[int]] = {}
    for cell, place in enumerate(places):
        members.setdefault(place, []).append(cell)
    return [np.array(cells, np.int64) for cells in members.values()]


def _from_pools(pools: list[list[int]], rng: np.random.Generator, size: int) -> list[Ints]:
    """Draw bags until too little is left; cells drawn for a bag that cannot be filled are lost."""
    bags: list[Ints] = []
    while True:
        left = np.array([len(pool) for pool in pools])
        kinds = min(int(rng.integers(_FEWEST, _MOST + 1)), int((left > 0).sum()))
        if kinds < _FEWEST or left.sum() < size:
            return bags
        chosen = rng.choice(len(pools), kinds, replace=False, p=left / left.sum()).tolist()
        members = [pools[name].pop() for name in chosen]
        while len(members) < size and any(pools[name] for name in chosen):
            share = np.array([len(pools[name]) for name in chosen], float)
            members.append(pools[chosen[int(rng.choice(kinds, p=share / share.sum()))]].pop())
        if len(members) == size:
            bags.append(rng.permutation(np.array(members, np.int64)))
