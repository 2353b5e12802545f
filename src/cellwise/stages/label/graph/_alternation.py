"""Labels made smooth on a graph: the alternation of the third system in closed form.

    min over A, Y >= 0 : 1/2 |V A - Y|^2 + penalty sum |sqrt(L) a_j|_1 + slack |Y - Y0|_1

with V the smoothest functions and L their eigenvalues. V has orthonormal columns, so the best A is
the soft threshold of V'Y at `penalty sqrt(L)`; each entry of the best Y is that of Y0 brought to
within `slack` of F = V A, and no less than 0.

Source: Lu, Fu, Xiang, Han, Wang and Gao 2017 (TPAMI 39), as used for HPA 2021 by "Raman" (23rd).
"""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Floats
from cellwise.kernels.graphs.smooth import Smoothest

_BLOCK = 8192
_ALIKE, _ENOUGH = 0.01, 0.999


def alternated(
    smoothest: Smoothest, start: Floats, *, penalty: float, slack: float, rounds: int
) -> tuple[Floats, int]:
    """`[node, class]`: the smooth labels, at least 0, and the rounds they took.

    It ends once 99.9 % of the entries are within 1 % of what they were.

    Args:
        smoothest: Functions on the graph.
        start: `[node, class]`, what is known of the nodes, at least 0.
        penalty: Of functions that are less smooth.
        slack: How far a label may be from what is smooth.
        rounds: At most so many.
    """
    vectors = smoothest.vectors
    least = (penalty * np.sqrt(smoothest.values))[:, None]
    labels = start.astype(np.float32)
    weights = _weights(vectors, labels)
    taken = 0
    while taken < rounds:
        taken += 1
        kept = (np.sign(weights) * np.maximum(np.abs(weights) - least, 0)).astype(np.float32)
        weights = np.zeros(kept.shape)
        alike = 0
        for begin in range(0, len(labels), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            smooth = vectors[rows] @ kept
            new = np.clip(start[rows], smooth - slack, smooth + slack)
            np.maximum(new, 0, out=new)
            before = labels[rows]
            alike += int((np.abs(new - before) <= _ALIKE * before).sum())
            labels[rows] = new
            weights += vectors[rows].T @ new
        if alike >= _ENOUGH * labels.size:
            break
    return labels, taken


def _weights(vectors: Floats, labels: Floats) -> npt.NDArray[np.float64]:
    total = np.zeros((vectors.shape[1], labels.shape[1]))
    for begin in range(0, len(labels), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        total += vectors[rows].T @ labels[rows]
    return total
