"""Named groups are held out together: fold 0; all others are fold 1. Without names, all are fold 0.

With all in one fold a single model learns from everything, and nothing is judged out of fold.

Source: the fixed validation sets of the RxRx1 system of Lin & Lin, and the experiment it skips.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cellwise.contracts.splitter import SplitInput, Splitter
from cellwise.domain.screens.names import present
from cellwise.errors import PreflightError
from cellwise.stages.split._named import chosen, folds_of, named_groups

NEEDS = ("own_folds",)


def build(groups: Sequence[str] = (), skip: Sequence[str] = ()) -> Splitter:
    """Make the splitter: fold of each site, -1 where it is skipped or its group has no label.

    `split.folds` does not count.

    Args:
        groups: Names of those that are held out; zeros in front of numbers do not matter. Names
            that are not there are passed over where others are.
        skip: Names of groups that are neither learned from nor judged, passed over alike.

    Raises:
        PreflightError: Groups have no names, none of those held out is there, or nothing is left.
    """

    def held_out(given: SplitInput) -> npt.NDArray[np.int64]:
        names = named_groups(given, "held_out")
        held = chosen(groups, names.values(), "held_out")
        # An experiment that is not in the folder is skipped as it is.
        skipped = set(present(skip, list(names.values())))
        left = {group: name for group, name in names.items() if name not in skipped}
        if not left or held >= set(left.values()):
            raise PreflightError(
                f"split held_out: with {sorted(held)} held out and {sorted(skipped)} skipped, no "
                "group is left to learn from."
            )
        return folds_of(
            given, {group: int(bool(held) and name not in held) for group, name in left.items()}
        )

    return held_out
