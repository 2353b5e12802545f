"""What every network gives: logits per item, and the class map they were pooled from."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from cellwise.errors import BadOption


class Output(NamedTuple):
    """Answer of a network.

    Args:
        logits: `[item, class]`.
        class_map: `[item, class, y, x]`, coarser than the pixels; pooling it gives the logits, so
            that it says where in the picture each class was seen.
    """

    logits: Tensor
    class_map: Tensor


# (number of channels, number of classes) -> module whose forward gives an `Output`, in two halves:
# `look` from pixels to features [item, feature, y, x], `answer` from features to the output.
MakeNet = Callable[[int, int], nn.Module]

POOLS = ("avg", "max", "avg+max")


def pool_map(class_map: Tensor, how: str) -> Tensor:
    """Logits `[item, class]` from a class map; `avg+max` is the mean of both."""
    average, peak = class_map.mean(dim=(2, 3)), class_map.amax(dim=(2, 3))
    return {"avg": average, "max": peak, "avg+max": (average + peak) / 2}[how]


def check_pool(how: str) -> None:
    """Refuse a pooling that does not exist."""
    if how not in POOLS:
        raise BadOption(f"No pooling is called {how!r}. One of: {', '.join(POOLS)}.")
