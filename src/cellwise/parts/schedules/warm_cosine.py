"""Whole epochs at a low rate, then the full one, falling as half a cosine, epoch by epoch.

Source: the HPA 2021 system AllDataAreExt & Galixir: one epoch at a tenth, then 14 from the peak to
0.
"""

import math

from cellwise.contracts.schedule import Moment, Schedule
from cellwise.errors import BadOption


def build(warm_epochs: int = 1, start: float = 0.1) -> Schedule:
    """Make the schedule.

    Args:
        warm_epochs: Epochs at the low rate, 0 or more.
        start: The low rate as a share of the full one, in 0..1.
    """
    if warm_epochs < 0 or not 0 <= start <= 1:
        raise BadOption("schedule warm_cosine: warm_epochs is not negative, start lies in 0..1.")

    def warm_cosine(moment: Moment) -> float:
        if moment.epoch < warm_epochs:
            return start
        left = max(moment.epochs - warm_epochs, 1)
        return 0.5 * (1 + math.cos(math.pi * (moment.epoch - warm_epochs) / left))

    return warm_cosine
