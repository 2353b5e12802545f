"""Only cells of fields with one label, or none, teach: theirs is nearly the field's own.

The cells of all other fields keep their inherited label with weight 0, so that they are scored and
teach nothing. A class that never stands alone is not learned.

Source: the plainest use of clean bags; single-label images as a clean set in HPA 2021 systems.
"""

import numpy as np

from cellwise.contracts.labeller import INHERITED, Bags, CellLabels, Labeller
from cellwise.errors import BadOption
from cellwise.stages.label._cells import weights


def build(border: float = 1.0, tiny: float = 1.0) -> Labeller:
    """Make the labeller.

    Args:
        border: Weight of a cell that touches the edge of the image; 0 leaves it out of training.
        tiny: Weight of a cell flagged as tiny; both factors multiply.
    """
    if border < 0 or tiny < 0:
        raise BadOption("label single: weights are not negative.")

    def single(bags: Bags) -> CellLabels:
        alone = bags.field_labels.sum(axis=1) <= 1
        weight = weights(bags, border=border, tiny=tiny) * alone[bags.site]
        return CellLabels(bags.inherited, weight.astype(np.float32), (INHERITED,) * len(bags.site))

    return single
