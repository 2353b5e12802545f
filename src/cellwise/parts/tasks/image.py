"""Learn from whole fields: each resized to a square, against the field's labels.

The class map of a network trained this way says where in the field each class was seen.

Source: the image networks of all four HPA 2021 systems that cellwise unites.
"""

from cellwise.contracts.task import Task, item_loss
from cellwise.errors import BadOption
from cellwise.parts.batches import images

NEEDS = ("fields",)


def build(size: int = 256) -> Task:
    """Make the task.

    Args:
        size: Side in pixels that fields are resized to.
    """
    if not 16 <= size <= 8192:
        raise BadOption(f"task image: size is 16 to 8192 pixels, not {size}.")
    return Task("site", size, "unused", images.build(), item_loss)
