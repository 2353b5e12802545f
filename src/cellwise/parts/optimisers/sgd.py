"""Stochastic gradient descent with Nesterov's momentum, new layers faster than trained ones.

Source: the ResNeSt networks of the HPA 2021 system of Riedel: last layers at ten times the rate,
biases at twice and without decay. There momentum was 0.0001 in truth, by a slip in the order of
arguments.
"""

import torch
from torch import nn

from cellwise.contracts.optimiser import MakeOptimiser, groups
from cellwise.errors import BadOption


def build(
    momentum: float = 0.9, head: float = 10.0, bias: float = 2.0, *, nesterov: bool = True
) -> MakeOptimiser:
    """Make the optimiser.

    Args:
        momentum: In 0..1, 1 excluded; above 0 with `nesterov`.
        head: Rate of the last layers as a multiple of the others'.
        bias: Rate of biases as a multiple of the weights'; where it is not 1 they have no decay.
        nesterov: Look ahead along the momentum.
    """
    if not 0 <= momentum < 1 or (nesterov and momentum == 0):
        raise BadOption("optimiser sgd: momentum lies in 0..1, and above 0 with nesterov.")

    def sgd(net: nn.Module, rate: float, decay: float) -> torch.optim.Optimizer:
        made = groups(net, rate, decay, head=head, bias=bias)
        return torch.optim.SGD(made, lr=rate, momentum=momentum, nesterov=nesterov)

    return sgd
