"""Labels of several methods as one, so that none of them has to be right.

The labels of a class are brought to one spread and averaged. A learner that is linear in its labels
(kernel ridge) then judges cells as the mean of the methods' own students would.

    label = weighted mean over methods of (q / spread of q) times the mean spread, at most 1

Source: hedges over experts; that equal weights are hard to beat without truth is Smith and Wallis
2009 (Oxford Bulletin of Economics and Statistics 71, 331).
"""

from collections.abc import Sequence

import numpy as np

from cellwise.stages.label.posterior._fields import Floats64

_LEAST = 1e-9


def hedge(labels: Sequence[Floats64], shares: Sequence[float] | Floats64) -> Floats64:
    """`[cell, class]` in 0..1: the methods' labels, each class at one spread, averaged.

    A method that gives every cell the same label of a class says nothing of it and is left out.

    Args:
        labels: `[cell, class]` in 0..1 of each method.
        shares: What each method counts, `[method]` or `[method, class]`, at least 0 and not all 0.
    """
    spread = np.stack([found.std(0) for found in labels])
    counts = np.asarray(shares, np.float64).reshape(len(labels), -1)
    share = np.where(spread > _LEAST, counts, 0)
    told = share.sum(0)
    share = share / np.where(told > 0, told, 1)
    usual = (share * spread).sum(0)
    mixed = np.zeros_like(labels[0])
    for found, wide, own in zip(labels, spread, share, strict=True):
        mixed += found * np.where(own > 0, own / np.where(wide > 0, wide, 1), 0)
    plain = sum(found * own for found, own in zip(labels, counts / counts.sum(0), strict=True))
    return np.asarray(np.clip(np.where(told > 0, mixed * usual, plain), 0, 1))
