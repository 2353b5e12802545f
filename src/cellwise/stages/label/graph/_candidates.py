"""Cells whose label a person should look at: added, removed, or found near known ones.

Source: candidates of mitotic spindle in the HPA 2021 system "Raman" (23rd): added by de-noising, or
neighbours of at least three known ones. Its author confirmed them by eye.
"""

import numpy as np

from cellwise.contracts.labeller import Bags, Candidates, Flags, Floats
from cellwise.kernels.graphs.adjacency import Graph

ADDED, REMOVED, NEAR_KNOWN = "added", "removed", "near_known"

_LOW, _HIGH = 0.3, 0.7
_KNOWN = 0.9
_LEAST_KNOWN = 3
_MOST = 500


def known_to_show(bags: Bags, start: Floats) -> Flags:
    """`[cell, class]`: what people saw; where nobody looked, what another step is nearly sure of.

    Inherited labels are no knowledge: nearly all cells lie near three of each frequent class.
    """
    if bags.verdict is not None:
        return np.asarray(bags.verdict == 1)
    if bags.given is None and bags.scores is None:
        return np.zeros(start.shape, bool)
    return np.asarray(start >= _KNOWN)


def known_near(graph: Graph, sure: Flags) -> Floats:
    """`[node, class]`: how many neighbours are known to show the class."""
    return graph.sums(sure.astype(np.float32))


def candidates(before: Floats, after: Floats, near: Floats) -> Candidates:
    """The candidates of all classes, at most 500 of each class and kind.

    Args:
        before: `[cell, class]`.
        after: `[cell, class]`, as before in rows of cells that no graph holds.
        near: `[cell, class]`, neighbours known to show the class.
    """
    found = []
    for column in range(before.shape[1]):
        old, new, known = before[:, column], after[:, column], near[:, column]
        added = np.flatnonzero((old <= _LOW) & (new > _HIGH))
        removed = np.flatnonzero((old >= _HIGH) & (new < _LOW))
        close = np.flatnonzero((old < _KNOWN) & (known >= _LEAST_KNOWN))
        for kind, cells, keys in (
            (ADDED, added, (-new[added],)),
            (REMOVED, removed, (new[removed],)),
            (NEAR_KNOWN, close, (-new[close], -known[close])),
        ):
            best = cells[np.lexsort(keys)[:_MOST]] if len(cells) else cells
            found += [(cell, column, kind) for cell in best.tolist()]
    cell = np.array([one[0] for one in found], np.int64)
    columns = np.array([one[1] for one in found], np.int64)
    return Candidates(
        cell,
        columns,
        np.array([one[2] for one in found], np.str_),
        before[cell, columns],
        after[cell, columns],
        near[cell, columns].astype(np.int64),
    )
