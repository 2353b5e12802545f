"""Bags: so many cells of one field together, fields in random order.

Source: the bags of 16 cells of the HPA 2021 system AllDataAreExt & Galixir ("pseudo-3D"): drawn
without replacement. A field with fewer gives all it has and some of them again; there, chance alone
says which.
"""

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.errors import BadOption
from cellwise.parts.batches._order import even_batches, generator


def build(cells: int = 16, per_site: int = 1) -> Sampler:
    """Make the sampler; batches are positions `[bag, cell]`.

    Args:
        cells: Cells in a bag.
        per_site: Bags of each field in one epoch.
    """
    if cells < 1 or per_site < 1:
        raise BadOption("batch bags: cells and per_site are at least 1.")

    def bags(pool: Pool, batch: int, when: When) -> list[Positions]:
        rng = generator(when)
        _, count = np.unique(pool.site, return_counts=True)
        by_site = np.argsort(pool.site, kind="stable")
        start = np.r_[0, np.cumsum(count)[:-1]]
        drawn = []
        for field in rng.permutation(np.repeat(np.arange(len(count)), per_site)):
            own = by_site[start[field] : start[field] + count[field]]
            drawn.append(_draw(own, cells, rng))
        if not drawn:
            return []
        return even_batches(np.stack(drawn).astype(np.int64), batch)

    return bags


def _draw(own: Positions, cells: int, rng: np.random.Generator) -> Positions:
    """So many of a field's cells; where it has fewer, all of them and some twice or more."""
    if len(own) >= cells:
        return rng.choice(own, cells, replace=False)
    return np.concatenate([own, rng.choice(own, cells - len(own), replace=True)])
