"""Cross-entropy among the treatments of one group: what another plate could hold is no rival.

In a screen whose plates carry a few fixed groups of treatments only the group of the label
competes. With `smooth` all classes compete, and that share of the target is spread over the label's
group. A class of no group, such as a control, is a group with the others of none.

Source: "plate cross-entropy" and label smoothing inside the group (0.025) of the RxRx1 system of
Lin & Lin.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from cellwise.contracts.loss import ForGroups, Loss
from cellwise.parts.losses._answers import check_smooth
from cellwise.parts.losses.softmax import shares

_OUT = -1e4


def build(smooth: float = 0.0) -> ForGroups:
    """Make the loss; one number per item.

    Args:
        smooth: In 0..1; above 0 all classes compete, and this share of each target is spread evenly
            over the classes of its group.
    """
    check_smooth(smooth)

    def bind(groups: Sequence[int]) -> Loss:
        number = torch.tensor(list(groups))
        same = (number[:, None] == number[None, :]).double()
        even = same / same.sum(1, keepdim=True)

        def group_softmax(logits: Tensor, targets: Tensor) -> Tensor:
            wanted = shares(targets, none=False)
            if smooth:
                spread = wanted @ even.to(logits)
                wanted = wanted * (1 - smooth) + smooth * spread
                return -(wanted * log_softmax(logits, dim=1)).sum(1)
            inside = wanted @ same.to(logits) > 0
            answers = log_softmax(logits.masked_fill(~inside, _OUT), dim=1)
            return -(wanted * answers).sum(1)

        return group_softmax

    return ForGroups("group_softmax", bind)
