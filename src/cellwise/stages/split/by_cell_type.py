"""Groups such as experiments are dealt out within each cell type: each fold has one, where it can.

The experiments of a cell type, in the order of their numbers, go to folds 0, 1, 2, ... and round
again, so that what is learned from and what is judged hold the cell types alike.

Source: the validation sets of the RxRx1 system of Lin & Lin: one experiment of each cell type.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cellwise.contracts.splitter import SplitInput, Splitter
from cellwise.domain.screens.names import present
from cellwise.errors import PreflightError
from cellwise.stages.split._named import folds_of, named_groups


def build(skip: Sequence[str] = ()) -> Splitter:
    """Make the splitter: fold of each site, -1 where it is skipped or its group has no label.

    Args:
        skip: Names of groups that are neither learned from nor judged.

    Raises:
        PreflightError: Groups have no names, or no cell type has as many of them as there are
            folds.
    """

    def by_cell_type(given: SplitInput) -> npt.NDArray[np.int64]:
        names = named_groups(given, "by_cell_type")
        skipped = set(present(skip, list(names.values())))
        kinds = _kinds(given)
        of_kind: dict[str, list[int]] = defaultdict(list)
        for group, name in names.items():
            if name not in skipped:
                of_kind[kinds.get(group, "")].append(group)
        most = max((len(groups) for groups in of_kind.values()), default=0)
        if most < given.folds:
            raise PreflightError(
                f"split: {given.folds} folds need {given.folds} groups of a cell type, and none "
                f"has more than {most}. Ask for fewer folds (--set split.folds={max(most, 2)})."
            )
        dealt = {
            group: place % given.folds
            for groups in of_kind.values()
            for place, group in enumerate(groups)
        }
        return folds_of(given, dealt)

    return by_cell_type


def _kinds(given: SplitInput) -> dict[int, str]:
    """The cell type of each group: the first in order of names where its sites differ."""
    kinds: dict[int, str] = {}
    for group, kind in zip(given.groups.tolist(), given.kinds, strict=False):
        if kind is not None:
            kinds[group] = min(kind, kinds.get(group, kind))
    return kinds
