"""Which cells share a graph: those of one network and, where asked, of one third of each field."""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Bags, Flags

Numbers = npt.NDArray[np.int64]

# A field of one cell: which of three parts it goes to, as in the source.
_OF_ALONE = (0.15, 0.35, 0.5)


def parts_of(bags: Bags, rows: Numbers, parts: int, seed: int) -> list[Numbers]:
    """The rows of each graph.

    Args:
        bags: The cells.
        rows: Those that have vectors.
        parts: Into how many parts the cells of each field are dealt.
        seed: Of who goes where.
    """
    makers = np.zeros(len(rows), np.int64) if bags.maker is None else bags.maker[rows]
    part = inside_fields(bags.site[rows], parts, np.random.default_rng(seed))
    both = np.unique(np.stack([makers, part]), axis=1, return_inverse=True)[1].reshape(-1)
    return [rows[both == number] for number in range(int(both.max(initial=-1)) + 1)]


def inside_fields(site: Numbers, parts: int, random: np.random.Generator) -> Numbers:
    """`[cell]`: cells of each field dealt out to parts, alike in number, by chance.

    Of three parts, cells that are alone in their field go to the last most often, as in the source.
    """
    if parts == 1:
        return np.zeros(len(site), np.int64)
    order = np.lexsort((random.random(len(site)), site))
    begins = np.flatnonzero(np.r_[True, np.diff(site[order]) > 0])
    counts = np.diff(np.r_[begins, len(site)])
    within = np.arange(len(site)) - np.repeat(begins, counts)
    # Fields of fewer cells than parts would fill the first ones.
    first = np.repeat(random.integers(parts, size=len(begins)), counts)
    dealt = (within + first) % parts
    if parts == len(_OF_ALONE):
        alone: Flags = np.repeat(counts == 1, counts)
        dealt[alone] = random.choice(parts, int(alone.sum()), p=_OF_ALONE)
    result = np.empty(len(site), np.int64)
    result[order] = dealt
    return result
