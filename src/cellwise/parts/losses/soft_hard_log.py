"""Soft hard log loss: only what is nearly sure, and of that only the hardest fifth.

Of each class over the batch: labels above 0.75 with the smallest logits and labels below 0.25 with
the largest, a fifth of each side and at least two; `target * softplus(-logit)` is their loss, so
the absent ones weigh what their small target leaves them.

Source: the late stage of the HPA 2021 system "Raman" (there with soft labels of cells).
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption
from cellwise.parts.losses.hard_log import hardest, share_of_class

_LEAST = 2


def build(present: float = 0.75, absent: float = 0.25, share: float = 0.2) -> Loss:
    """Make the loss.

    Args:
        present: Targets above this are surely present.
        absent: Targets below this are surely absent.
        share: How many of each side are kept, above 0 and at most 1.
    """
    if not 0 <= absent <= present <= 1 or not 0 < share <= 1:
        raise BadOption(
            f"loss soft_hard_log: 0 <= absent <= present <= 1 and 0 < share <= 1, not {absent}, "
            f"{present} and {share}."
        )

    def soft_hard_log(logits: Tensor, targets: Tensor) -> Tensor:
        yes, no = targets > present, targets < absent
        kept = hardest(-logits, yes, _kept(yes, share)) | hardest(logits, no, _kept(no, share))
        return share_of_class(targets * softplus(-logits), kept)

    return soft_hard_log


def _kept(side: Tensor, share: float) -> Tensor:
    # Doubles: a fifth of ten is two, and not one less by a rounding.
    count = side.sum(0).to(torch.float64)
    return (count * share).floor().clamp_min(_LEAST).long()
