"""Cells in random order, each once per epoch, or at most so many of each field.

Source: the usual shuffle; the bound per field keeps crowded fields from drowning the others.
"""

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.errors import BadOption
from cellwise.parts.batches._order import even_batches, generator


def build(per_site: int = 0) -> Sampler:
    """Make the sampler.

    Args:
        per_site: At most this many cells of one field in one epoch, others in the next; 0 for all.
    """
    if per_site < 0:
        raise BadOption(f"batch crops: per_site is not negative, as {per_site} is.")

    def crops(pool: Pool, batch: int, when: When) -> list[Positions]:
        order = generator(when).permutation(len(pool)).astype(np.int64)
        return even_batches(_bounded(order, pool, per_site) if per_site else order, batch)

    return crops


def _bounded(order: Positions, pool: Pool, most: int) -> Positions:
    """The first `most` cells of each field, in the given order."""
    sites = pool.site[order]
    by_site = np.argsort(sites, kind="stable")
    ordered = sites[by_site]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    return np.asarray(order[np.sort(by_site[rank < most])])
