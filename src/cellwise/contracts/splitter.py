"""What a splitter is given and gives."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class SplitInput:
    """What a splitter is given, one entry per site in any order.

    Args:
        site_ids: Unique names; the result depends on them and not on the order of the rows.
        groups: Group number of each site.
        labels: `[site, class]`, whether the field carries the class; all False where unlabelled.
        labelled: `[site]`, whether the field has a label.
        folds: How many folds, at least 2.
        seed: Settles ties.
        names: `[site]`, a name for the group of each; None where it has none. Empty where groups
            have no names.
        kinds: `[site]`, such as the cell type of each; None where unknown. Empty where nothing
            tells.
    """

    site_ids: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]
    labelled: npt.NDArray[np.bool_]
    folds: int
    seed: int
    names: tuple[str | None, ...] = ()
    kinds: tuple[str | None, ...] = ()


# What is to be divided -> fold of each site, -1 where a site has none.
Splitter = Callable[[SplitInput], npt.NDArray[np.int64]]
