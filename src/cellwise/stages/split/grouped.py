"""Grouped and stratified: groups stay whole, and every class is shared out evenly over the folds.

Source: iterative stratification of Sechidis, Tsoumakas and Vlahavas 2011, carried over from samples
to groups of samples and improved by moves and swaps; see `_balance`.
"""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.splitter import SplitInput, Splitter
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.split._balance import spread_groups
from cellwise.stages.split._groups import by_first_appearance


def build(restarts: int = 4, rounds: int = 200) -> Splitter:
    """Make the splitter: `(SplitInput) -> fold per site`, -1 where a site has no fold.

    A site without label takes the fold of its group, so that it is scored by the model that did not
    see its neighbours; groups without any label have no fold. The order of the sites is irrelevant.

    Args:
        restarts: Greedy starts; the best of them is taken.
        rounds: Most improving moves or swaps per start.

    Raises:
        PreflightError: Fewer groups with labels than folds.
    """
    if restarts < 1 or rounds < 0:
        raise BadOption("split grouped: restarts is at least 1 and rounds at least 0.")

    def grouped(given: SplitInput) -> npt.NDArray[np.int64]:
        order = np.argsort(np.array(given.site_ids, dtype=object), kind="stable")
        # Only labelled sites steer; numbered by first appearance, rows in any order agree.
        steering = order[given.labelled[order]]
        names, first = np.unique(given.groups[steering], return_index=True)
        names = names[np.argsort(first)]
        if len(names) < given.folds:
            raise PreflightError(
                f"split: {given.folds} folds need at least {given.folds} groups with labels, "
                f"here are {len(names)}. Label more fields, group by another column "
                "(--set split.by=...), or ask for fewer folds (--set split.folds=...)."
            )
        member = by_first_appearance(given.groups[steering])
        counts = np.zeros((len(names), given.labels.shape[1]), np.int64)
        np.add.at(counts, member, given.labels[steering].astype(np.int64))
        fold = spread_groups(
            counts,
            np.bincount(member, minlength=len(names)),
            folds=given.folds,
            seed=given.seed,
            restarts=restarts,
            rounds=rounds,
        )
        of_group = dict(zip(names.tolist(), fold.tolist(), strict=True))
        return np.array([of_group.get(int(group), -1) for group in given.groups], np.int64)

    return grouped
