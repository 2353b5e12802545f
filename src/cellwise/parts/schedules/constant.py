"""The rate stays what it is.

Source: the RxRx1 system of Lin & Lin, which has no schedule.
"""

from cellwise.contracts.schedule import Moment, Schedule


def build() -> Schedule:
    """Make the schedule."""

    def constant(moment: Moment) -> float:
        return 1.0

    return constant
