"""The running average of weights, and how an epoch is judged."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from cellwise.learning._average import WeightAverage
from cellwise.learning.labelled import macro_average_precision


def test_the_average_by_hand_and_back():
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(1.0)
    average = WeightAverage(net, 0.5)
    expected = 1.0
    for step, value in enumerate((3.0, -2.0, 8.0, 4.0, 5.0, 6.0, 1.0, 0.0, 9.0, 2.0)):
        with torch.no_grad():
            net.weight.fill_(value)
        average.update(net)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * value
    with average.in_place_of(net):
        assert net.weight.item() == pytest.approx(expected)
    assert net.weight.item() == 2.0


def test_the_average_comes_back_from_its_state():
    net = nn.Linear(2, 2)
    one, two = WeightAverage(net, 0.9), WeightAverage(nn.Linear(2, 2), 0.9)
    one.update(net)
    state: dict[str, Any] = one.state()
    two.restore(**state)
    assert two.steps == 1
    assert all(torch.equal(one.values[name], two.values[name]) for name in one.values)


def slow_precision(scores, present, weights):
    """Sum over positives, from the top, of the precision there; ties stand together."""
    total, area, before = weights[present].sum(), 0.0, 0.0
    for level in sorted(set(scores), reverse=True):
        above = scores >= level
        hit = weights[above & present].sum()
        area += (hit - before) / total * hit / weights[above].sum()
        before = hit
    return area


@given(
    logits=arrays(np.float32, (7, 2), elements=st.integers(-3, 3).map(float)),
    targets=arrays(np.float32, (7, 2), elements=st.sampled_from([0.0, 0.4, 0.5, 1.0])),
    weights=arrays(np.float32, 7, elements=st.sampled_from([0.0, 0.5, 1.0])),
)
def test_macro_average_precision_agrees_with_a_slow_one(logits, targets, weights):
    kept = weights > 0
    values = []
    for place in range(2):
        present = targets[kept, place] >= 0.5
        if present.any() and not present.all():
            values.append(slow_precision(logits[kept, place], present, weights[kept]))
    expected = np.mean(values) if values else 0.0
    assert macro_average_precision(logits, targets, weights) == pytest.approx(expected, abs=1e-6)
