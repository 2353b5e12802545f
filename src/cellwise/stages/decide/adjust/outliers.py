"""Cells that look wrong beside the others of their field are claimed with less confidence.

`p = p_cell * scale` for cells with a quality flag other than that of the border: much smaller or
larger than the field's median cell, without a nucleus, saturated, dark or out of focus. Such
outlines are often no single cell, and what they show cannot be told.

Source: the outlier scale of the HPA 2021 system MILIMED (4th).
"""

import numpy as np

from cellwise.contracts.adjuster import Adjuster, Cells, Floats
from cellwise.errors import BadOption
from cellwise.stages.decide._logits import log_chance, logit_of_log


def build(scale: float = 0.5) -> Adjuster:
    """Make the adjuster.

    Args:
        scale: Above 0 and at most 1; 1 leaves cells alone.
    """
    if not 0 < scale <= 1:
        raise BadOption(f"decide outliers: scale is above 0 and at most 1, not {scale}.")

    def outliers(logits: Floats, cells: Cells) -> Floats:
        if cells.odd is None or not cells.odd.any():
            return logits
        lower = logit_of_log(log_chance(logits) + np.log(scale))
        return np.where(cells.odd[:, None] & (scale < 1), lower, logits)

    return outliers
