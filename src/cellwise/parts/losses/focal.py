"""Focal loss: labels already learned weigh less, so that rare ones are heard.

Source: Lin et al. 2017 (arXiv 1708.02002), eq. 4; soft targets as in Li et al. 2020 (arXiv
2006.04388), which is the same for targets of 0 and 1 and is least where the probability equals the
target. Used with gamma 1, 2 and 2.5 by three of the HPA 2021 systems.
"""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption
from cellwise.parts.losses._answers import check_smooth, soften


def build(gamma: float = 2.0, smooth: float = 0.0) -> Loss:
    """Make the loss; `gamma=0` is plain binary cross-entropy.

    Args:
        gamma: How fast a label loses weight as it is learned, 0 or more.
        smooth: Label smoothing in 0..1, as in `bce`.
    """
    check_smooth(smooth)
    if gamma < 0:
        raise BadOption(f"loss focal: gamma is not negative, as {gamma} is.")

    def focal(logits: Tensor, targets: Tensor) -> Tensor:
        wanted = soften(targets, smooth)
        surprise = (logits.sigmoid() - wanted).abs()
        return surprise**gamma * binary_cross_entropy_with_logits(logits, wanted, reduction="none")

    return focal
