"""Alpha-balanced focal loss: focal, with present and absent labels weighed apart.

Source: Lin et al. 2017 (arXiv 1708.02002), eq. 5; used with alpha 0.25 and gamma 2, summed over the
batch, by the masked-image networks of the HPA 2021 system AllDataAreExt & Galixir. Soft targets
take their share of both terms, each with the weight of its own side.
"""

from torch import Tensor
from torch.nn.functional import softplus

from cellwise.contracts.loss import Loss
from cellwise.errors import BadOption


def build(alpha: float = 0.25, gamma: float = 2.0) -> Loss:
    """Make the loss; the system's own figure is the sum over all labels.

    Args:
        alpha: Weight of present labels, in 0..1; absent ones weigh `1 - alpha`.
        gamma: How fast a label loses weight as it is learned, 0 or more.
    """
    if not 0 <= alpha <= 1 or gamma < 0:
        raise BadOption(
            f"loss alpha_focal: alpha lies in 0..1 and gamma is not negative; they are {alpha} "
            f"and {gamma}."
        )

    def alpha_focal(logits: Tensor, targets: Tensor) -> Tensor:
        chance = logits.sigmoid()
        present = alpha * (1 - chance) ** gamma * softplus(-logits)
        absent = (1 - alpha) * chance**gamma * softplus(logits)
        return targets * present + (1 - targets) * absent

    return alpha_focal
