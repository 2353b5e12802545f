"""How long one batch of a training takes on this machine."""

import time
from dataclasses import dataclass

import numpy as np
from torch import nn

from cellwise.learning._frame import surroundings
from cellwise.learning._learner import Asking
from cellwise.learning.lesson import Lesson, Turn
from cellwise.learning.plan import Plan
from cellwise.learning.ranks import Ranks

# Batches that are timed after the first one, unless they take long.
_BATCHES = 5
# Of each batch, what lightning itself takes.
_AROUND = 0.003


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of processor time for one batch.

    Args:
        learn: To draw it, to run it through the network and back: more for larger images.
        move: To move the weights, however large the images.
    """

    learn: float
    move: float


def pace_of_batches(net: nn.Module, lesson: Lesson, plan: Plan, patience: float) -> Pace:
    """How long a batch takes, from some of them.

    Args:
        net: Freshly made; its weights are changed.
        lesson: Some batches of the training, or such as are like them.
        plan: Its threads, device and optimiser.
        patience: Seconds after which no further batch is timed.
    """
    learn, move = [], []
    with surroundings(plan.threads, plan.device):
        net = net.to(plan.device).train()
        optimiser = plan.optimiser(net, plan.learning_rate, plan.weight_decay)
        ask = Asking(net, Ranks())
        order = lesson.order(0)
        begun = time.monotonic()
        for number in range(_BATCHES + 1):
            started = time.process_time()
            turn = Turn(0, number, order[number % len(order)])
            drawn = tuple(one.to(plan.device) for one in lesson.draw(turn))
            lesson.batch_loss(ask, drawn, turn, 0.0).backward()  # type: ignore[no-untyped-call]
            learned = time.process_time()
            optimiser.step()
            optimiser.zero_grad()
            learn.append(learned - started)
            move.append(time.process_time() - learned)
            if time.monotonic() - begun > patience:
                break
    return Pace(float(np.median(learn[1:] or learn)), float(np.median(move[1:] or move)) + _AROUND)
