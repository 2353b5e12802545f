"""Partial-label loss: one of the labels is right, and the network may say which.

`-log sum p_c` over the labels c of an item, with p the softmax over classes that exclude each
other. A cell that has inherited all labels of its field is so told that it shows one of them: one
pass, no relabelling. An item without any label is told that it shows none.

Source: Jin and Ghahramani 2002 (NIPS 15), the likelihood of a candidate set; as a loss of a network
in Feng et al. 2020 (arXiv 2007.08929), the classifier-consistent method.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from cellwise.contracts.loss import Loss
from cellwise.parts.losses._answers import with_none


def build(*, none: bool = True) -> Loss:
    """Make the loss; one number per item. A soft target counts as far as it is set.

    Args:
        none: Whether "none of the classes" is an answer, the right one for items without a label.
            Without it they add nothing to the loss.
    """

    def partial_label(logits: Tensor, targets: Tensor) -> Tensor:
        answers = log_softmax(with_none(logits, none=none), dim=1)
        candidates = targets
        if none:
            empty = (targets.sum(1, keepdim=True) == 0).to(targets)
            candidates = torch.cat([targets, empty], dim=1)
        known = candidates.sum(1, keepdim=True) > 0
        # An item without a candidate would have the logarithm of 0, and no gradient.
        weights = torch.where(known, candidates, 1).log()
        return -torch.where(known[:, 0], torch.logsumexp(answers + weights, dim=1), 0)

    return partial_label
