"""Adam with weight decay apart from the gradient.

Source: Loshchilov and Hutter 2019 (arXiv 1711.05101).
"""

import torch
from torch import nn

from cellwise.contracts.optimiser import MakeOptimiser


def build(eps: float = 1e-8) -> MakeOptimiser:
    """Make the optimiser.

    Args:
        eps: Added to the root of the second moment; above 0.
    """

    def adamw(net: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay, eps=eps)

    return adamw
