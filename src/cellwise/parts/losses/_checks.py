"""The type of a loss, and what all losses refuse."""

from collections.abc import Callable

from torch import Tensor

from cellwise.errors import BadOption

# (logits, targets in 0..1), both [item, class] -> one number per label, not yet added up.
Loss = Callable[[Tensor, Tensor], Tensor]


def check_smooth(smooth: float) -> None:
    """Refuse a smoothing outside 0..1."""
    if not 0 <= smooth < 1:
        raise BadOption(f"Label smoothing lies in 0..1, not {smooth}.")


def soften(targets: Tensor, smooth: float) -> Tensor:
    """Targets moved towards one half: 0 becomes smooth/2, 1 becomes 1 - smooth/2."""
    return targets * (1 - smooth) + smooth / 2
