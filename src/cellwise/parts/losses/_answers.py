"""Label smoothing, and the answer "none" of losses whose classes compete."""

import torch
from torch import Tensor

from cellwise.errors import BadOption


def check_smooth(smooth: float) -> None:
    """Refuse a smoothing outside 0..1."""
    if not 0 <= smooth < 1:
        raise BadOption(f"Label smoothing lies in 0..1, not {smooth}.")


def soften(targets: Tensor, smooth: float) -> Tensor:
    """Targets moved towards one half: 0 becomes smooth/2, 1 becomes 1 - smooth/2."""
    return targets * (1 - smooth) + smooth / 2


def with_none(logits: Tensor, *, none: bool) -> Tensor:
    """Logits with a last column of zeros, the answer "none of them", where it is allowed."""
    if not none:
        return logits
    return torch.cat([logits, logits.new_zeros(len(logits), 1)], dim=1)
