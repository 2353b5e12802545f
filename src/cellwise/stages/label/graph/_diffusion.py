"""What the labels of cells nearby on a graph say of each cell, its own group's left out.

A walk goes on to a neighbour with the chance `reach` at each step; a class's value is the mean of
what is known where walks end. One step alone is the vote of the neighbours.

Source: Zhou, Bousquet, Lal, Weston and Schoelkopf 2004 (NIPS 16), learning with local and global
consistency, with the random walk in place of the symmetric kernel so that values are means.
"""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Floats
from cellwise.kernels.graphs.adjacency import Graph

_LEFT = 0.01


def diffused(graph: Graph, labels: Floats, known: Floats, reach: float) -> Floats:
    """`[node, class]`: the mean of the labels that walks end at, NaN where none of them is known.

    Args:
        graph: Each node has a neighbour.
        labels: `[node, class]`.
        known: `[node]`, how much each node's labels count, 0 for those that are not known.
        reach: In 0..1, below 1; 0 is one step.
    """
    shares = (1 / np.maximum(graph.degrees, 1)).astype(np.float32)[:, None]
    values = np.concatenate([labels * known[:, None], known[:, None]], axis=1).astype(np.float32)
    steps = 1 if reach <= 0 else max(1, int(np.ceil(np.log(_LEFT) / np.log(reach))))
    total = np.zeros_like(values)
    for number in range(steps):
        values = shares * graph.sums(values)
        total += np.float32(reach**number) * values
    weight = total[:, -1:]
    return np.divide(total[:, :-1], weight, out=np.full_like(labels, np.nan), where=weight > 0)


def out_of_group(
    graph: Graph, labels: Floats, known: Floats, folds: npt.NDArray[np.int64], reach: float
) -> Floats:
    """As `diffused`; each node by what is known of nodes of other folds, those of -1 by all."""
    result = np.zeros_like(labels)
    for fold in np.unique(folds):
        own = folds == fold
        heard = known * ~own if fold >= 0 else known
        result[own] = diffused(graph, labels, heard, reach)[own]
    return result
