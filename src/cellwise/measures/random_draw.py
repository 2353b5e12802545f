"""Drawing cells at random from strata, with known chances.

Source: stratified sampling, Cochran 1977, chapter 5. Half of the draw is in proportion, for shares
of all cells, and half in equal numbers, for what is rare.
"""

import numpy as np
import numpy.typing as npt

from cellwise.measures.bootstrap import Floats, Groups

# Shares of cells below each stratum: the last one holds the most surprising twentieth.
_CUTS = (0.5, 0.8, 0.95)


def strata_of(score: Floats, random: np.random.Generator) -> Groups:
    """`[cell]`: numbers of strata from 0, by rank of the score; equal scores are put by chance."""
    order = np.lexsort((random.random(len(score)), score))
    rank = np.empty(len(score), np.int64)
    rank[order] = np.arange(len(score))
    found = np.searchsorted(np.array(_CUTS) * len(score), rank, side="right")
    return np.unique(found, return_inverse=True)[1].reshape(-1).astype(np.int64)


def drawn_by_strata(
    stratum: Groups, count: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Places of drawn cells in an order of chance; within a stratum all had the same chance.

    Args:
        stratum: `[cell]`, numbers from 0, none of them empty.
        count: Cells to draw; at least one of each stratum is, and at most all.
        random: Source of chance.
    """
    there = np.bincount(stratum)
    wanted = count * (0.5 * there / there.sum() + 0.5 / len(there))
    each = np.clip(np.floor(wanted).astype(np.int64), 1, there)
    while each.sum() < min(count, there.sum()):
        short = np.where(each < there, wanted - each, -np.inf)
        each[int(short.argmax())] += 1
    chosen = [
        random.choice(np.flatnonzero(stratum == number), int(size), replace=False)
        for number, size in enumerate(each)
    ]
    return random.permutation(np.concatenate(chosen))
