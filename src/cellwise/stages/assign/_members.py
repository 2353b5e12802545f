"""Several models as one: means and medians of logits, of ranks, of probabilities.

Source: the six ways of Lin & Lin's RxRx1 ensemble. What comes out is used as logits: means of
probabilities are given as their logarithm, ranks as they are, 0 for the unlikeliest class.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from scipy.stats import rankdata

Logits = npt.NDArray[np.float32]
Way = Literal["mean", "median", "rank_mean", "rank_median", "softmax_mean", "softmax_median"]
WAYS: tuple[str, ...] = get_args(Way)

_LEAST = 1e-30


def combine(members: Sequence[Logits], way: Way = "mean") -> Logits:
    """`[well, class]` of members `[well, class]`; a well that a member lacks is NaN there.

    Such a well is decided by the members that have it, and is NaN where none has.
    """
    every = np.stack(members)
    kind, _, middle = way.rpartition("_")
    if kind == "rank":
        known = np.isfinite(every)
        every = np.where(known, rankdata(every, axis=2) - 1, np.nan).astype(np.float32)
    elif kind == "softmax":
        every = np.exp(log_softmax(every.astype(np.float64), axis=2)).astype(np.float32)
    found = every[0] if len(every) == 1 else _over_members(every, middle)
    if kind == "softmax":
        found = np.log(np.maximum(found, _LEAST))
    return np.asarray(found, np.float32)


def _over_members(every: Logits, middle: str) -> npt.NDArray[np.floating]:
    there = np.isfinite(every).all(axis=2)
    found = np.full(every.shape[1:], np.nan)
    # Wells with the same members are taken together: mostly all with all.
    for have in np.unique(there.T, axis=0):
        wells = (have == there.T).all(axis=1)
        if have.any():
            some = every[np.ix_(have, wells)]
            found[wells] = np.median(some, axis=0) if middle == "median" else some.mean(axis=0)
    return found
