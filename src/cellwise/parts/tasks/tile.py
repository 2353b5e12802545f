"""Learn tiles of whole sites: one of each site in an epoch, drawn by chance, against its label.

A site is brought to `size` pixels and cut into tiles in rows: 512 and 256 make quadrants, 512 and
128 sixteen tiles, 512 and 512 the whole image. Sites are samples of their own; what is judged are
wells, by the mean logits of all tiles of all their sites.

With `sites: 2` a sample is a well, seen by a tile of each of two of its sites: the mean of their
logits is what the label is held against, as it is where the well is judged. With `control: 0.1` a
tile of a control well of the same plate is learned beside each sample, its loss a tenth as heavy.

Source: the RxRx1 system of Lin & Lin, for which tiles of full resolution beat images made smaller;
its pairs of two sites, and of a treated and a control image (control loss 0.1).
"""

from typing import Any

from torch import Tensor

from cellwise.contracts.loss import Loss
from cellwise.contracts.task import Task, Truth, item_loss
from cellwise.errors import BadOption
from cellwise.parts.batches import batches
from cellwise.parts.tasks._company import in_company

NEEDS = ("tiles",)
SHELVES = {"order": "cellwise.parts.batches"}


def build(
    size: int = 512,
    tile: int = 256,
    order: str | dict[str, Any] = "images",
    sites: int = 1,
    control: float = 0.0,
) -> Task:
    """Make the task.

    Args:
        size: Side in pixels that sites are brought to.
        tile: Side of a tile, which divides `size`.
        order: Which sites meet in a batch: `images` for any, `alike` for those of one plate,
            experiment or cell type, `balanced` for cell types in equal numbers.
        sites: Of a well in one sample, 1 or more; above 1 a batch holds so many wells.
        control: Weight of the loss of a control well of the plate (or experiment) that is shown
            beside each sample; 0 shows none and learns controls as any other wells.
    """
    if not 16 <= size <= 8192 or tile < 16 or size % tile:
        raise BadOption(
            f"task tile: size is 16 to 8192 pixels and a multiple of tile, which is at least 16; "
            f"they are {size} and {tile}."
        )
    if sites < 1 or control < 0:
        raise BadOption(
            f"task tile: sites is at least 1 and control not negative; they are {sites} and "
            f"{control}."
        )
    sampler = batches.build(order)
    if sites == 1 and not control:
        return Task("site", size, "unused", sampler, item_loss, tile=tile)

    def batch_loss(logits: Tensor, truth: Truth, loss: Loss) -> Tensor:
        return company_loss(logits, truth, loss, sites=sites, control=control)

    together = in_company(sampler, sites=sites, control=control > 0)
    return Task("site", size, "unused", together, batch_loss, tile=tile)


def company_loss(logits: Tensor, truth: Truth, loss: Loss, *, sites: int, control: float) -> Tensor:
    """`loss(mean logits of a sample's sites) + control * loss(its control)`, means over samples.

    Args:
        logits: `[item, class]`, the sites of a sample one after another, then its control if there
            is one.
        truth: Of the items; those of a sample have one label, or shares of it and of others where
            an augmentation mixed them.
        loss: Of logits and targets.
        sites: Of a sample.
        control: Weight of the control's loss; 0 where there is none.
    """
    each = sites + (control > 0)
    items = (logits, truth.targets, truth.weights)
    parts = [values.reshape(-1, each, *values.shape[1:]) for values in items]
    own = [part[:, :sites].mean(1) for part in parts]
    found = item_loss(own[0], Truth(own[1], own[2], truth.fields, truth.class_weights), loss)
    if not control:
        return found
    beside = [part[:, sites] for part in parts]
    of_control = Truth(beside[1], beside[2], truth.fields, truth.class_weights)
    return found + control * item_loss(beside[0], of_control, loss)
