"""How a number varies between the cells of a group and between groups.

Source: the law of total variance; quantiles by linear interpolation, definition 7 of Hyndman and
Fan 1996 (Am. Stat. 50:361).
"""

from collections.abc import Sequence

import numpy as np

from cellwise.measures.bootstrap import Floats, Groups


def share_within(values: Floats, group: Groups) -> float | None:
    """Share of the variance of `values` `[cell]` that lies within groups, 0..1.

    None where the values do not vary.

    Args:
        values: `[cell]`, finite.
        group: `[cell]`, numbers from 0.
    """
    if not len(values) or values.var() <= 1e-12:
        return None
    n = np.maximum(np.bincount(group), 1)
    middle = np.bincount(group, weights=values) / n
    return float(((values - middle[group]) ** 2).mean() / values.var())


def group_quantiles(
    values: Floats, group: Groups, levels: Sequence[float], *, count: int
) -> Floats:
    """`[group, level]`: quantiles of each group's values, NaN for a group without any.

    Args:
        values: `[cell]`, finite.
        group: `[cell]`, numbers from 0.
        levels: In 0..1.
        count: Groups in all.
    """
    found = np.full((count, len(levels)), np.nan)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=count))
    for number, own in enumerate(np.split(values[order], ends[:-1])):
        if len(own):
            found[number] = np.quantile(own, levels)
    return found
