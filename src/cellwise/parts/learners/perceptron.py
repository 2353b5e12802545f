"""A small perceptron learned at once: the net `perceptron` on standardised numbers, soft labels.

Learns for a fixed number of epochs with a falling rate. Cells that lack numbers are judged by a
model of the numbers that such cells have.

Source: Rosenblatt 1958; the net's own sources; AdamW of Loshchilov and Hutter 2019 (arXiv
1711.05101), one cycle of Smith and Topin 2018 (arXiv 1708.07120).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from cellwise.contracts.learner import Arrays, Fitted, Floats, Learner, Smoother
from cellwise.errors import BadOption
from cellwise.parts.learners._per_fold import PerFold
from cellwise.parts.learners._viewed import fit_viewed, restore_viewed
from cellwise.parts.nets import nets

# Cells at a time when they are judged.
_JUDGED = 4096


def build(
    hidden: int = 128,
    drop: float = 0.3,
    epochs: int = 30,
    batch: int = 128,
    learning_rate: float = 0.003,
    weight_decay: float = 0.1,
) -> Learner:
    """Make the learner.

    Args:
        hidden: Numbers in the hidden layer.
        drop: Share in 0..1 of them that are dropped while learning.
        epochs: How often all cells are gone through.
        batch: Cells in one step.
        learning_rate: The largest rate of the cycle.
        weight_decay: Pull of the weights towards 0.
    """
    if hidden < 1 or epochs < 1 or batch < 1:
        raise BadOption("learner perceptron: hidden, epochs and batch are at least 1.")
    if not (0 <= drop < 1 and 0 < learning_rate < 1 and 0 <= weight_decay < 1 / learning_rate):
        raise BadOption(
            "learner perceptron: drop lies in 0..1, 1 excluded, learning_rate between 0 and 1, and "
            "weight_decay from 0 to below 1 / learning_rate."
        )
    return _Perceptron(hidden, drop, epochs, batch, learning_rate, weight_decay)


@dataclass(frozen=True, slots=True)
class _Perceptron:
    hidden: int
    drop: float
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float

    def fit(self, vectors: Floats, labels: Floats, weights: Floats, seed: int) -> Fitted:
        return fit_viewed(vectors, labels, weights, seed, self._learn)

    def out_of_fold(self, vectors: Floats, folds: npt.NDArray[np.int64], seed: int) -> Smoother:
        return PerFold(self, vectors, folds, seed)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
        return restore_viewed(arrays, self._restored)

    def _net(self, numbers: int, classes: int) -> nn.Module:
        spec = {"name": "perceptron", "hidden": self.hidden, "drop": self.drop}
        made: nn.Module = nets.build(spec)(numbers, classes)
        return made

    def _restored(self, arrays: Arrays) -> "_Answers":
        numbers = arrays["features.0.weight"].shape[1]
        net = self._net(numbers, arrays["score.weight"].shape[0])
        net.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        return _Answers(net.eval())

    def _learn(self, ready: Floats, labels: Floats, weights: Floats, seed: int) -> "_Answers":
        # What the caller draws afterwards does not depend on this.
        with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False):
            torch.manual_seed(seed)
            return _Answers(self._learned(ready, labels, weights).eval())

    def _learned(self, ready: Floats, labels: Floats, weights: Floats) -> nn.Module:
        net = self._net(ready.shape[1], labels.shape[1]).train()
        # Begin with what is known without looking: how common each class is.
        share = torch.from_numpy(np.average(labels, axis=0, weights=weights)).float()
        net.get_parameter("score.bias").data = share.clamp(1e-3, 1 - 1e-3).logit()
        optimiser = torch.optim.AdamW(net.parameters(), weight_decay=self.weight_decay)
        steps = -(-len(ready) // self.batch)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.learning_rate, total_steps=max(2, steps * self.epochs)
        )
        mass = torch.from_numpy(weights / weights.mean())
        items, targets = torch.from_numpy(ready), torch.from_numpy(labels)
        for _ in range(self.epochs):
            for some in torch.split(torch.randperm(len(ready)), self.batch):
                logits = net(items[some]).logits
                each = F.binary_cross_entropy_with_logits(logits, targets[some], reduction="none")
                optimiser.zero_grad()
                (each.mean(1) * mass[some]).mean().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                cycle.step()
        return net


@dataclass(frozen=True, slots=True)
class _Answers:
    """The network, in evaluation mode."""

    net: nn.Module

    def __call__(self, ready: Floats) -> Floats:
        with torch.inference_mode():
            some = torch.split(torch.from_numpy(ready), _JUDGED)
            return torch.cat([self.net(items).logits.sigmoid() for items in some]).numpy()

    def arrays(self) -> Arrays:
        return {name: weight.numpy().copy() for name, weight in self.net.state_dict().items()}
