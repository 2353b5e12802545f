"""Focal loss: labels already learned weigh less, so that rare ones are heard.

Source: Lin et al. 2017 (arXiv 1708.02002), eq. 4; soft targets as in Li et al. 2020 (arXiv
2006.04388), which is the same for targets of 0 and 1 and is least where the probability equals the
target. Used with gamma 1, 2 and 2.5 by three of the HPA 2021 systems, and by "Raman" with soft
targets in the form `margin`, which the winners of 2018 wrote for targets of 0 and 1: there the
surprise at a target of one half is one half, whatever the logit.
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption
from cellwise.parts.losses._answers import check_smooth, soften

_SURPRISES = ("distance", "margin")


def build(gamma: float = 2.0, smooth: float = 0.0, surprise: str = "distance") -> Loss:
    """Make the loss; `gamma=0` is plain binary cross-entropy.

    Args:
        gamma: How fast a label loses weight as it is learned, 0 or more.
        smooth: Label smoothing in 0..1, as in `bce`.
        surprise: What is raised to `gamma`: the `distance` of probability and target, or
            `margin`, `sigmoid(-logit (2 target - 1))`; the same for targets of 0 and 1.
    """
    check_smooth(smooth)
    if surprise not in _SURPRISES:
        raise BadOption(
            f"loss focal: surprise is one of {', '.join(_SURPRISES)}, not {surprise!r}."
        )
    if gamma < 0:
        raise BadOption(f"loss focal: gamma is not negative, as {gamma} is.")

    def focal(logits: Tensor, targets: Tensor) -> Tensor:
        wanted = soften(targets, smooth)
        if surprise == "margin":
            surprised = torch.sigmoid(-logits * (2 * wanted - 1))
        else:
            surprised = (logits.sigmoid() - wanted).abs()
        return surprised**gamma * binary_cross_entropy_with_logits(logits, wanted, reduction="none")

    return focal
