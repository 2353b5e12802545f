"""Adam; weight decay, if any, enters the gradient.

Source: Kingma and Ba 2015 (arXiv 1412.6980); used by all HPA 2021 systems here, with eps 1e-5 for
the "center_cells" networks of AllDataAreExt & Galixir.
"""

import torch
from torch import nn

from cellwise.contracts.optimiser import MakeOptimiser, groups


def build(eps: float = 1e-8, head: float = 1.0) -> MakeOptimiser:
    """Make the optimiser.

    Args:
        eps: Added to the root of the second moment; above 0.
        head: Rate of the last layers as a multiple of the others'.
    """

    def adam(net: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups(net, rate, decay, head=head), lr=rate, eps=eps)

    return adam
