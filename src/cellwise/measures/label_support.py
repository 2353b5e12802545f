"""How many of a group's cells say what the group's label says.

Source: ranking given labels by out-of-sample predictions as in confident learning (Northcutt et al.
2021, arXiv 1911.00068), applied here to bags of cells.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.measures.bootstrap import Floats, Groups


@dataclass(frozen=True, slots=True)
class LabelSupport:
    """Support of each class in each group.

    Args:
        n: `[group]`, its cells.
        share: `[group, class]`, share of its cells that were assigned the class, 0..1.
        mean: `[group, class]`, their mean probability.
    """

    n: Groups
    share: Floats
    mean: Floats


def label_support(assigned: Floats, chance: Floats, group: Groups, *, count: int) -> LabelSupport:
    """Count the support; what is NaN is unknown and does not count.

    Args:
        assigned: `[cell, class]`, 1 where the class was assigned, else 0.
        chance: `[cell, class]`, probabilities.
        group: `[cell]`, numbers from 0.
        count: Groups in all.
    """
    return LabelSupport(
        np.bincount(group, minlength=count),
        _group_means(assigned, group, count),
        _group_means(chance, group, count),
    )


def _group_means(values: Floats, group: Groups, count: int) -> Floats:
    """`[group, class]`: means over what is known, NaN where nothing is."""
    means = np.full((count, values.shape[1]), np.nan)
    for column, of_class in enumerate(values.T):
        known: npt.NDArray[np.bool_] = np.isfinite(of_class)
        number = np.bincount(group[known], minlength=count)
        total = np.bincount(group[known], weights=of_class[known], minlength=count)
        np.divide(total, number, out=means[:, column], where=number > 0)
    return means
