"""Weights sorted by what they are, each group with its own share of the learning rate."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

# (network, learning rate, weight decay) -> the optimiser; a group's `share` multiplies its rate.
MakeOptimiser = Callable[[nn.Module, float, float], Optimizer]

SHARE = "share"
_NEW = "head."


def groups(
    net: nn.Module, rate: float, decay: float, *, head: float = 1.0, bias: float = 1.0
) -> list[dict[str, Any]]:
    """Parameter groups of a network.

    Args:
        net: Whose last layers, if it tells them apart, lie under `head`.
        rate: Learning rate of a share of 1.
        decay: Weight decay; biases have none where their share is not 1.
        head: Share of the last layers' weights.
        bias: Share of biases, on top of it.
    """
    made = []
    for new in (False, True):
        for is_bias in (False, True):
            chosen = [
                value
                for name, value in net.named_parameters()
                if name.startswith(_NEW) == new and name.endswith("bias") == is_bias
            ]
            share = (head if new else 1.0) * (bias if is_bias else 1.0)
            own = 0.0 if is_bias and bias != 1 else decay
            if chosen:
                made.append(
                    {"params": chosen, SHARE: share, "lr": rate * share, "weight_decay": own}
                )
    return made
