"""Learn a head on embeddings: vectors of an embed step in place of pixels.

Each cell against its row of a labels table or, where `bag` is set, the cells of one field together
against the field's label. Several labels at once with loss `bce`, one of them with `softmax`.

Source: linear probes, as embeddings are judged (Alain and Bengio 2016, arXiv 1610.01644); the bags
are those of `bag`.
"""

from cellwise.contracts.task import Task, item_loss
from cellwise.errors import BadOption
from cellwise.parts.batches import crops
from cellwise.parts.tasks import bag as bags

NEEDS = ("vectors",)


def build(
    bag: int = 0, per_site: int = 0, cell_weight: float = 0.1, pool: str = "max_mean"
) -> Task:
    """Make the task.

    Args:
        bag: Cells in a bag; 0 learns from single cells and their labels.
        per_site: At most this many cells of one field in one epoch, 0 for all; of bags, how many
            of each field, 0 for one.
        cell_weight: With bags, weight of the term against labels of cells.
        pool: With bags, how cells answer for their field, as in `bag`.
    """
    if bag < 0 or per_site < 0:
        raise BadOption("task vectors: bag and per_site are not negative.")
    if bag:
        task = bags.build(bag, per_site or 1, cell_weight, pool=pool)
        return Task("cell", None, task.cell_labels, task.sampler, task.batch_loss, items="vectors")
    return Task("cell", None, "needed", crops.build(per_site), item_loss, items="vectors")
