"""A table: from which epoch on which share of the rate holds.

Source: the step tables of the HPA 2021 systems AllDataAreExt & Galixir (3e-4, from the fifth epoch
1.5e-4, then 7.5e-5, then 3e-5) and "Raman" (1e-5, halved or more every two epochs).
"""

from collections.abc import Mapping

from cellwise.contracts.schedule import Moment, Schedule
from cellwise.errors import BadOption

_GALIXIR = {0: 1.0, 4: 0.5, 7: 0.25, 10: 0.1}


def build(table: Mapping[int, float] | None = None) -> Schedule:
    """Make the schedule.

    Args:
        table: Epochs done, from 0, and the share that holds from there on; None for the first of
            the
            tables above.
    """
    rows = sorted((table or _GALIXIR).items())
    if rows[0][0] != 0 or min(share for _, share in rows) < 0:
        raise BadOption("schedule steps: the table begins with epoch 0 and no share is negative.")

    def steps(moment: Moment) -> float:
        return next(share for epoch, share in reversed(rows) if epoch <= moment.epoch)

    return steps
