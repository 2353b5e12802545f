"""Focal loss over classes that exclude each other: answers already learned weigh less.

`alpha (1 - p)^gamma (-log p)` with p the probability of the label; soft targets take shares.

Source: Lin et al. 2017 (arXiv 1708.02002), as the RxRx1 system of Lin & Lin uses it (alpha 0.5,
gamma 2).
"""

from torch import Tensor
from torch.nn.functional import log_softmax

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption
from cellwise.parts.losses.softmax import shares


def build(alpha: float = 0.5, gamma: float = 2.0) -> Loss:
    """Make the loss; one number per item.

    Args:
        alpha: What the whole is multiplied by, above 0.
        gamma: How fast an answer loses weight as it is learned, 0 or more.
    """
    if not alpha > 0 or gamma < 0:
        raise BadOption(
            f"loss softmax_focal: alpha is above 0 and gamma is not negative; they are {alpha} and "
            f"{gamma}."
        )

    def softmax_focal(logits: Tensor, targets: Tensor) -> Tensor:
        answers = log_softmax(logits, dim=1)
        surprise = (1 - answers.exp()) ** gamma
        return -alpha * (shares(targets, none=False) * surprise * answers).sum(1)

    return softmax_focal
