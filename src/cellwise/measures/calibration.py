"""How far stated probabilities are from what happens, from sums over groups and bins.

The expected calibration error takes all classes together in bins of equal width: `sum over bins
(n_b / n) |mean probability - share of positives|` (Guo et al. 2017). The Brier score is the mean
squared distance of probability and truth (Brier 1950).
"""

import numpy as np
import numpy.typing as npt

from cellwise.measures.bootstrap import Floats, Groups

# Per filled bin: mean probability, share of positives, number of statements.
Curve = tuple[tuple[float, float, int], ...]


def curve(n: Floats, p: Floats, y: Floats) -> Curve:
    """The reliability curve of such sums `[group, bin]`, all groups together."""
    n, p, y = n.sum(axis=0), p.sum(axis=0), y.sum(axis=0)
    filled = np.flatnonzero(n)
    return tuple((float(p[b] / n[b]), float(y[b] / n[b]), int(n[b])) for b in filled)


def sums_by_bin(
    truth: npt.NDArray[np.bool_], chance: Floats, groups: Groups, shape: tuple[int, int]
) -> tuple[Floats, Floats, Floats, Floats]:
    """`[group, bin]` each: statements, summed probability, positives, squared distance.

    Args:
        truth: `[item, class]`.
        chance: `[item, class]` in 0..1.
        groups: `[item]`, numbers from 0.
        shape: Number of groups and of bins of equal width over 0..1.
    """
    bin_of = np.minimum((chance * shape[1]).astype(np.int64), shape[1] - 1)
    place = (groups[:, None] * shape[1] + bin_of).reshape(-1)
    values = (np.ones_like(chance), chance, truth.astype(np.float64), (chance - truth) ** 2)
    size = shape[0] * shape[1]
    summed = [
        np.bincount(place, weights=value.reshape(-1), minlength=size).astype(float).reshape(shape)
        for value in values
    ]
    return summed[0], summed[1], summed[2], summed[3]


def errors(
    weights: Floats, n: Floats, p: Floats, y: Floats, squares: Floats
) -> tuple[Floats, Floats]:
    """`[draw]` calibration error and Brier score under `[draw, group]` weights of such sums."""
    total = (weights @ n).sum(axis=1)
    safe = np.where(total > 0, total, np.nan)
    return np.abs(weights @ p - weights @ y).sum(axis=1) / safe, (weights @ squares).sum(
        axis=1
    ) / safe
