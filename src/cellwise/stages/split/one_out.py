"""Each group is a fold of its own: leave one out.

Source: leave-one-group-out cross-validation; leave-one-batch-out where groups are experiments.
"""

import numpy as np
import numpy.typing as npt

from cellwise.contracts.splitter import SplitInput, Splitter
from cellwise.errors import PreflightError
from cellwise.stages.split._named import folds_of, named_groups

NEEDS = ("own_folds",)


def build() -> Splitter:
    """Make the splitter: fold of each site, -1 where its group has no label.

    Folds are numbered in the natural order of names; `split.folds` does not count.

    Raises:
        PreflightError: Groups have no names, or there are not two of them.
    """

    def one_out(given: SplitInput) -> npt.NDArray[np.int64]:
        names = named_groups(given, "one_out")
        if len(names) < 2:
            raise PreflightError(
                "split one_out: there are not two groups with labels. Group by another column "
                "(--set split.by=...)."
            )
        return folds_of(given, {group: place for place, group in enumerate(names)})

    return one_out
