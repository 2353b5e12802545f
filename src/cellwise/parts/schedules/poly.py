"""A power of what is left of the training, batch by batch.

Source: the ResNeSt networks of the HPA 2021 system of Riedel, power 0.9, as usual in segmentation.
"""

from cellwise.contracts.schedule import Moment, Schedule
from cellwise.errors import BadOption


def build(power: float = 0.9) -> Schedule:
    """Make the schedule.

    Args:
        power: Above 0; 1 is a straight line to nothing.
    """
    if not power > 0:
        raise BadOption(f"schedule poly: power is above 0, not {power}.")

    def poly(moment: Moment) -> float:
        return float((1 - moment.progress) ** power)

    return poly
