"""Binary cross-entropy: each label is a yes-or-no question of its own.

Source: the usual multi-label loss; label smoothing as in Szegedy et al. 2016 (arXiv 1512.00567).
"""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cellwise.contracts.loss import Loss
from cellwise.parts.losses._answers import check_smooth, soften


def build(smooth: float = 0.0) -> Loss:
    """Make the loss; one number per label, soft targets welcome.

    Args:
        smooth: In 0..1; targets are moved this far towards one half, which keeps the network from
            claiming more certainty than field labels can give.
    """
    check_smooth(smooth)

    def bce(logits: Tensor, targets: Tensor) -> Tensor:
        wanted = soften(targets, smooth)
        return binary_cross_entropy_with_logits(logits, wanted, reduction="none")

    return bce
