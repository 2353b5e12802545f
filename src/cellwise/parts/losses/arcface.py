"""Additive angular margin: a label's angle is made larger by a margin before answers compete.

The logits are cosines times `scale`, as the head `arcface` gives them; targets hold one class.

Source: Deng et al. 2019 (arXiv 1801.07698), with scale 32 and margin 0.5 as in the RxRx1 system of
Lin & Lin; where an angle and its margin pass half a turn, the line of its easy form goes on.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption
from cellwise.parts.losses.softmax import shares

# A class that is left out of the competition has a logit far below any cosine.
_OUT = -1e3
_LEAST = 1e-6


def build(scale: float = 32.0, margin: float = 0.5) -> Loss:
    """Make the loss; one number per item.

    Args:
        scale: That the logits were multiplied by, above 0.
        margin: In radians, 0 up to half a turn.
    """
    if not scale > 0 or not 0 <= margin < math.pi:
        raise BadOption(
            f"loss arcface: scale is above 0 and margin lies in 0..3.14; they are {scale} and "
            f"{margin}."
        )
    last = math.cos(math.pi - margin)
    beyond = math.sin(math.pi - margin) * margin

    def arcface(logits: Tensor, targets: Tensor) -> Tensor:
        wanted = shares(targets, none=False)
        cosine = (logits / scale).clamp(-1 + _LEAST, 1 - _LEAST)
        further = torch.cos(torch.acos(cosine) + margin)
        further = torch.where(cosine > last, further, cosine - beyond)
        moved = torch.where(wanted > 0, scale * further, logits)
        answers = log_softmax(torch.where(logits < _OUT, logits, moved), dim=1)
        return -(wanted * answers).sum(1)

    return arcface
