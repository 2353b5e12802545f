"""A linear rise, then half a cosine to nothing, batch by batch.

Source: Smith and Topin 2018 (arXiv 1708.07120), "one cycle".
"""

import math

from cellwise.contracts.schedule import Moment, Schedule
from cellwise.errors import BadOption


def build(warm: float = 0.2, start: float = 0.04) -> Schedule:
    """Make the schedule.

    Args:
        warm: Share of the training that rises, in 0..1, 1 excluded.
        start: Share of the rate at the beginning, in 0..1.
    """
    if not 0 <= warm < 1 or not 0 <= start <= 1:
        raise BadOption("schedule one_cycle: warm and start lie in 0..1, and warm is below 1.")

    def one_cycle(moment: Moment) -> float:
        progress = moment.progress
        if progress < warm:
            return start + (1 - start) * progress / warm
        return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))

    return one_cycle
