"""Small cells, and cells cut by the edge of the image, are claimed with less confidence.

`p = p_cell * min(1, area / (bound * median area))`, with one bound for cells at the edge and one
for the others: little of such a cell can be seen, and its outline is less often the right one.

Source: the HPA 2021 system PFCell (7th), whose bounds of 80,000 pixels at the edge and 32,000
inside, on fields of 2048 pixels, are given here as shares of the run's median cell.
"""

import numpy as np

from cellwise.contracts.adjuster import Adjuster, Cells, Floats
from cellwise.errors import BadOption
from cellwise.stages.decide._logits import log_chance, logit_of_log


def build(edge: float = 0.8, inner: float = 0.32) -> Adjuster:
    """Make the adjuster.

    Args:
        edge: Bound for cells at the edge, in median areas, at least 0; 0 leaves them alone.
        inner: Bound for the other cells.
    """
    if edge < 0 or inner < 0:
        raise BadOption("decide visible_area: edge and inner are not negative.")

    def visible_area(logits: Floats, cells: Cells) -> Floats:
        if not len(logits):
            return logits
        bound = np.where(cells.border, edge, inner) * np.median(cells.area)
        share = np.minimum(1, cells.area / np.maximum(bound, 1e-9))
        factor = np.log(np.maximum(share, 1e-9))[:, None]
        return np.where(factor < 0, logit_of_log(log_chance(logits) + factor), logits)

    return visible_area
