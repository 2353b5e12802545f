"""The type of a head, and what all refuse."""

from collections.abc import Callable

from torch import nn

from cellwise.errors import BadOption

# (number of features, number of classes) -> module whose `forward(features, asked=Asked.LOGITS)`
# makes an `Output` of features `[item, feature, y, x]`.
MakeHead = Callable[[int, int], nn.Module]


def check_drop(head: str, drop: float) -> None:
    """Refuse a share of features to drop that is none."""
    if not 0 <= drop < 1:
        raise BadOption(f"head {head}: drop lies in 0..1, not {drop}.")
