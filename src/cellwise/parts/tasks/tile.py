"""Learn tiles of whole sites: one of each site in an epoch, drawn by chance, against its label.

A site is brought to `size` pixels and cut into tiles in rows: 512 and 256 make quadrants, 512 and
128 sixteen tiles, 512 and 512 the whole image. Sites are samples of their own; what is judged are
wells, by the mean logits of all tiles of all their sites.

Source: the RxRx1 system of Lin & Lin, for which tiles of full resolution beat images made smaller.
"""

from typing import Any

from cellwise.contracts.task import Task, item_loss
from cellwise.errors import BadOption
from cellwise.parts.batches import batches

NEEDS = ("tiles",)
SHELVES = {"order": "cellwise.parts.batches"}


def build(size: int = 512, tile: int = 256, order: str | dict[str, Any] = "images") -> Task:
    """Make the task.

    Args:
        size: Side in pixels that sites are brought to.
        tile: Side of a tile, which divides `size`.
        order: Which sites meet in a batch: `images` for any, `alike` for those of one plate,
            experiment or cell type, `balanced` for cell types in equal numbers.
    """
    if not 16 <= size <= 8192 or tile < 16 or size % tile:
        raise BadOption(
            f"task tile: size is 16 to 8192 pixels and a multiple of tile, which is at least 16; "
            f"they are {size} and {tile}."
        )
    return Task("site", size, "unused", batches.build(order), item_loss, tile=tile)
