"""Groups by their names, in natural order, for splitters that deal them out by name."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from cellwise.contracts.splitter import SplitInput
from cellwise.domain.screens.names import natural_order, present
from cellwise.errors import PreflightError

_MOST = 6


def named_groups(given: SplitInput, splitter: str) -> dict[int, str]:
    """The name of each group that has a labelled site, in natural order (`RPE-2` before `RPE-10`).

    Raises:
        PreflightError: Groups have no names.
    """
    names: dict[int, str] = {}
    for row in np.flatnonzero(given.labelled).tolist():
        name = given.names[row] if given.names else None
        if name is not None:
            group = int(given.groups[row])
            names[group] = min(name, names.get(group, name))
    if not names:
        raise PreflightError(
            f"split {splitter}: groups have no names. Name a column that every labelled field has: "
            "--set split.by=Metadata_Experiment."
        )
    return dict(sorted(names.items(), key=lambda pair: (natural_order(pair[1]), pair[1])))


def chosen(wanted: Sequence[str], names: Collection[str], splitter: str) -> set[str]:
    """The names that are wanted and there, whatever zeros stand in front of their numbers.

    Raises:
        PreflightError: Some are wanted and none is there.
    """
    found = set(present(wanted, names))
    if wanted and not found:
        some = ", ".join(sorted(names)[:_MOST])
        raise PreflightError(
            f"split {splitter}: none of {list(wanted)} is among the groups ({some}"
            f"{', ...' if len(names) > _MOST else ''}). Name some of these, or none."
        )
    return found


def folds_of(given: SplitInput, of_group: dict[int, int]) -> npt.NDArray[np.int64]:
    """Fold of each site by that of its group; -1 for groups that are in none."""
    return np.array([of_group.get(int(group), -1) for group in given.groups], np.int64)
