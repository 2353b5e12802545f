"""Learn from single cells: each crop against its row of a labels table.

Soft labels and weights are taken as they are, so a field's label, a relabelling and a person's
annotation all enter the same way.

Source: the cell networks of the HPA 2021 systems "Raman" (soft labels) and AiRLab (hard labels).
"""

from cellwise.contracts.task import Task, item_loss
from cellwise.errors import BadOption
from cellwise.parts.batches import crops

NEEDS = ("crops",)


def build(per_site: int = 0, size: int = 0) -> Task:
    """Make the task.

    Args:
        per_site: At most this many cells of one field in one epoch; 0 for all.
        size: Side in pixels that crops are made smaller to, so that networks of several sizes share
            the crops of one step; 0 takes them as they were cut.
    """
    if size < 0:
        raise BadOption(f"task cell: size is not negative, as {size} is.")
    return Task("cell", size or None, "needed", crops.build(per_site), item_loss)
