"""Group bootstrap: whole groups are drawn with replacement, as weights of the items in them.

Source: cluster bootstrap, Davison and Hinkley 1997, section 3.8.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]

_ITEMS_AT_ONCE = 2_000_000


def numbered(names: npt.ArrayLike) -> Groups:
    """Group numbers 0, 1, ... for group names, in sorted order of the names."""
    _, found = np.unique(np.asarray(names), return_inverse=True)
    return found.reshape(-1).astype(np.int64)


def group_draws(groups: int, *, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """`[draw, group]`: how often each group is drawn."""
    return drawn(np.random.default_rng(seed), groups, draws=draws)


def drawn(random: np.random.Generator, groups: int, *, draws: int) -> npt.NDArray[np.int64]:
    """`[draw, group]`: the same from a generator that is in use."""
    if groups == 0:
        return np.zeros((draws, 0), np.int64)
    return random.multinomial(groups, np.full(groups, 1 / groups), size=draws)


def weight_chunks(groups: Groups, *, draws: int, seed: int) -> Iterator[Floats]:
    """Item weights `[draws of the chunk, item]`; together `draws` rows, in bounded memory."""
    counts = group_draws(int(groups.max(initial=-1)) + 1, draws=draws, seed=seed)
    step = max(1, _ITEMS_AT_ONCE // max(1, len(groups)))
    for start in range(0, draws, step):
        yield counts[start : start + step, groups].astype(np.float64)


def row_means(values: Floats) -> Floats:
    """Mean of each row over its defined entries, NaN for a row without any."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    means: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means
