"""How long one batch of a training takes on this machine."""

import time

import numpy as np
from torch import nn

from cellwise.learning._frame import surroundings
from cellwise.learning._learner import Asking
from cellwise.learning.lesson import Lesson, Turn
from cellwise.learning.plan import Plan
from cellwise.learning.ranks import Ranks

# Batches that are timed after the first one, unless they take long.
_BATCHES = 5
_LONG = 1.5
# Of each batch, what lightning itself takes.
_AROUND = 0.003


def seconds_per_batch(net: nn.Module, lesson: Lesson, plan: Plan) -> float:
    """Seconds of processor time for one batch: drawn, learned from, weights moved.

    Args:
        net: Freshly made; its weights are changed.
        lesson: Some batches of the training, or such as are like them.
        plan: Its threads, device and optimiser.
    """
    took = []
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
            optimiser.step()
            optimiser.zero_grad()
            took.append(time.process_time() - started)
            if time.monotonic() - begun > _LONG:
                break
    return float(np.median(took[1:] or took)) + _AROUND
