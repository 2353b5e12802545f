"""Bags: so many cells of one field (or well, or plate) together, in random order.

Source: the bags of 16 cells of the HPA 2021 system AllDataAreExt & Galixir ("pseudo-3D"): drawn
without replacement. A field with fewer gives all it has and some of them again; there, chance alone
says which.
"""

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.domain.units import LEVELS
from cellwise.errors import BadOption
from cellwise.parts.batches._order import even_batches, generator


def build(cells: int = 16, per_site: int = 1, level: str = "site") -> Sampler:
    """Make the sampler; batches are positions `[bag, cell]`.

    Args:
        cells: Cells in a bag.
        per_site: Bags of each field (or larger unit) in one epoch.
        level: What the cells of a bag have in common: `site`, `well`, `plate` or `experiment`. A
            bag never mixes folds, nor fields with different labels.
    """
    if cells < 1 or per_site < 1:
        raise BadOption("batch bags: cells and per_site are at least 1.")
    if level not in LEVELS[1:]:
        raise BadOption(f"batch bags: level is one of {', '.join(LEVELS[1:])}, not {level!r}.")

    def bags(pool: Pool, batch: int, when: When) -> list[Positions]:
        rng = generator(when)
        group = pool.of(level)
        _, count = np.unique(group, return_counts=True)
        by_group = np.argsort(group, kind="stable")
        start = np.r_[0, np.cumsum(count)[:-1]]
        drawn = []
        for one in rng.permutation(np.repeat(np.arange(len(count)), per_site)):
            own = by_group[start[one] : start[one] + count[one]]
            drawn.append(_draw(own, cells, rng))
        if not drawn:
            return []
        return even_batches(np.stack(drawn).astype(np.int64), batch)

    return bags


def _draw(own: Positions, cells: int, rng: np.random.Generator) -> Positions:
    """So many of a group's cells; where it has fewer, all of them and some twice or more."""
    if len(own) >= cells:
        return rng.choice(own, cells, replace=False)
    return np.concatenate([own, rng.choice(own, cells - len(own), replace=True)])
