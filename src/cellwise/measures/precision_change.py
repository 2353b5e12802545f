"""Average precision on a judged random draw, before and after something was learned.

Each judged cell stands for as many as its stratum was drawn from (Horvitz and Thompson 1952), so
that the figures are of all cells and not of the hard ones that a draw prefers. Both models are
judged by the same cells, and groups are drawn together for both (`measures.bootstrap`): the
interval of the difference is much narrower than that of either.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.measures.average_precision import weighted_precision
from cellwise.measures.bootstrap import Floats, Groups, row_means, weight_chunks

LEVEL = 0.9
# Fewer judged cells that show a class say nothing of how well they are found.
LEAST = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One class, or the mean over classes.

    Args:
        before: Average precision before.
        after: Average precision after.
        low: Lower end of the 90 % interval of the difference.
        high: Its upper end.
        judged: Judged cells behind it.
        seen: Those of them that show the class.
    """

    before: float
    after: float
    low: float
    high: float
    judged: int
    seen: int


def precision_change(
    shows: Floats,
    weight: Floats,
    chances: tuple[Floats, Floats],
    group: Groups,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[list[Change | None], Change | None]:
    """The change of each class, and of the mean over those that have one.

    Args:
        shows: `[cell, class]`, 1 or 0 as people saw it, NaN where nobody was asked or sure.
        weight: `[cell, class]`, for how many cells a judged one stands; 0 for the others.
        chances: `[cell, class]` before and after, NaN where a model said nothing.
        group: `[cell]`, numbers of groups of cells that are alike.
        draws: Bootstrap draws.
        seed: Of the draws.

    Returns:
        By class, None where fewer than `LEAST` judged cells show it; and the mean.
    """
    count = shows.shape[1]
    known = np.isfinite(shows) & (weight > 0)
    known &= np.isfinite(chances[0]) & np.isfinite(chances[1])
    seen = ((shows == 1) & known).sum(0)
    judged = known.sum(0)
    kept = [k for k in range(count) if seen[k] >= LEAST]
    if not kept:
        return [None] * count, None

    def scores(drawn: Floats) -> tuple[Floats, Floats]:
        """`[draw, class]` before and after under `[draw, cell]` weights."""
        both = []
        for chance in chances:
            columns = []
            for k in kept:
                rows = known[:, k]
                each = drawn[:, rows] * weight[rows, k]
                columns.append(weighted_precision(shows[rows, k] == 1, chance[rows, k], each))
            both.append(np.stack(columns, 1))
        return both[0], both[1]

    value = scores(np.ones((1, len(shows))))
    apart = [np.zeros((0, len(kept)))]
    for chunk in weight_chunks(group, draws=draws, seed=seed):
        first, second = scores(chunk)
        apart.append(second - first)
    spread = np.concatenate(apart)
    found: list[Change | None] = [None] * count
    for place, k in enumerate(kept):
        ends = _ends(spread[:, place])
        before, after = float(value[0][0, place]), float(value[1][0, place])
        found[k] = Change(before, after, *ends, int(judged[k]), int(seen[k]))
    means = [float(one[0].mean()) for one in value]
    every = Change(
        means[0],
        means[1],
        *_ends(row_means(spread)),
        int(known.any(1).sum()),
        int(seen[kept].sum()),
    )
    return found, every


def _ends(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    if not len(there):
        return float("nan"), float("nan")
    low, high = np.quantile(there, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)
