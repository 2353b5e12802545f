"""Lower the rate whenever the epochs have not got better for a while.

Source: the image-level networks of the HPA 2021 system of Riedel: patience 2.
"""

from cellwise.contracts.schedule import Moment, Schedule
from cellwise.errors import BadOption

# A smaller gain than this share of the best so far is none.
_LEAST_GAIN = 1e-4


def build(factor: float = 0.1, patience: int = 2, least: float = 1e-3) -> Schedule:
    """Make the schedule.

    Args:
        factor: What the rate is multiplied with, above 0 and below 1.
        patience: Epochs without gain that are borne, 0 or more; the one after lowers the rate.
        least: Smallest share of the rate, 0 or more.
    """
    if not 0 < factor < 1 or patience < 0 or least < 0:
        raise BadOption(
            "schedule plateau: factor is above 0 and below 1, patience and least not negative."
        )

    def plateau(moment: Moment) -> float:
        share, best, waited = 1.0, float("inf"), 0
        for loss in moment.losses:
            # A ranking is judged by a negative number; a gain makes it smaller all the same.
            if best == float("inf") or loss < best - _LEAST_GAIN * abs(best):
                best, waited = loss, 0
                continue
            waited += 1
            if waited > patience:
                share, waited = max(share * factor, least), 0
        return share

    return plateau
