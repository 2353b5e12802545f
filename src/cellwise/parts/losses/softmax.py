"""Cross-entropy over classes that exclude each other: each item has one answer, or none of them.

Targets are shares of one answer. Where they sum to more than 1, as a field's labels do that a cell
has inherited, they are divided by their sum; what is left to 1 is the share of the answer "none",
whose logit is always 0. So a cell without any label is taught that it shows nothing.

Source: multinomial logistic regression; soft targets as in Hinton, Vinyals and Dean 2015 (arXiv
1503.02531); the fixed logit is the usual reference category.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from cellwise.contracts.loss import Loss
from cellwise.parts.losses._answers import check_smooth, with_none


def build(smooth: float = 0.0, *, none: bool = True) -> Loss:
    """Make the loss; one number per item.

    Args:
        smooth: In 0..1; this share of each target is spread evenly over all answers.
        none: Whether "none of the classes" is an answer. Without it an item without any label
            has a loss of 0.
    """
    check_smooth(smooth)

    def softmax(logits: Tensor, targets: Tensor) -> Tensor:
        answers = log_softmax(with_none(logits, none=none), dim=1)
        wanted = shares(targets, none=none)
        if smooth:
            wanted = wanted * (1 - smooth) + smooth * wanted.sum(1, keepdim=True) / wanted.shape[1]
        return -(wanted * answers).sum(1)

    return softmax


def shares(targets: Tensor, *, none: bool) -> Tensor:
    """Targets as shares of one answer, with the share of "none" as last column where allowed."""
    total = targets.sum(1, keepdim=True)
    if not none:
        return targets / torch.where(total > 0, total, 1)
    wanted = targets / total.clamp_min(1)
    return torch.cat([wanted, (1 - wanted.sum(1, keepdim=True)).clamp_min(0)], dim=1)
