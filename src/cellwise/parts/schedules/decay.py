"""The same factor after every so many epochs.

Source: the EfficientNets of the HPA 2021 system of Riedel: 0.85 after each epoch.
"""

from cellwise.contracts.schedule import Moment, Schedule
from cellwise.errors import BadOption


def build(factor: float = 0.85, every: int = 1) -> Schedule:
    """Make the schedule.

    Args:
        factor: Above 0 and up to 1.
        every: Epochs between two steps, 1 or more.
    """
    if not 0 < factor <= 1 or every < 1:
        raise BadOption("schedule decay: factor is above 0 and up to 1, every at least 1.")

    def decay(moment: Moment) -> float:
        return float(factor ** (moment.epoch // every))

    return decay
