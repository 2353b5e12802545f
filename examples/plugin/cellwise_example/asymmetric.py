"""Asymmetric loss: absent labels that are already told apart well weigh little or nothing.

Source: Ridnik et al. 2021 (arXiv 2009.14119), eq. 3 to 6.
"""

from torch import Tensor
from torch.nn.functional import logsigmoid

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption


def build(present: float = 0.0, absent: float = 4.0, margin: float = 0.05) -> Loss:
    """Make the loss.

    Args:
        present: How fast a present label loses weight as it is learned, 0 or more.
        absent: The same for an absent label.
        margin: Absent labels below this probability add nothing to the loss, above 0 and below 1.
    """
    if not (present >= 0 and absent >= 0 and 0 < margin < 1):
        raise BadOption("loss asymmetric: present and absent are 0 or more, margin lies in 0..1.")

    def asymmetric(logits: Tensor, targets: Tensor) -> Tensor:
        chance = logits.sigmoid()
        shifted = (chance - margin).clamp_min(0)
        cost_present = (1 - chance) ** present * -logsigmoid(logits)
        cost_absent = shifted**absent * -(-shifted).log1p()
        return targets * cost_present + (1 - targets) * cost_absent

    return asymmetric
