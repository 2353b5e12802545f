"""Losses: published regression values, a slow re-computation, and what must hold for any input."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import BadOption
from cellwise.parts.losses import losses

Z = torch.tensor([[2, -1, 0.5], [-0.3, 1.2, -2], [0.1, 0.4, -0.6], [-1.5, 0.2, 0.9]])
Y = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
LOGITS = arrays(np.float32, (3, 2), elements=st.floats(-8, 8, width=32))
TARGETS = arrays(np.float32, (3, 2), elements=st.floats(0, 1, width=32))


@pytest.mark.parametrize(("gamma", "value"), [(1.0, 1.227471), (2.0, 0.794787), (2.5, 0.653094)])
def test_focal_agrees_with_the_published_form(gamma, value):
    """Summed over classes, mean over the batch."""
    per_label = losses.build({"name": "focal", "gamma": gamma})(Z, Y)
    assert per_label.sum(1).mean().item() == pytest.approx(value, abs=1e-6)


def slow_focal(z, y, gamma):
    p = 1 / (1 + math.exp(-z))
    entropy = -(y * math.log(p) + (1 - y) * math.log(1 - p))
    return abs(p - y) ** gamma * entropy


@given(z=LOGITS, y=TARGETS)
def test_focal_agrees_with_a_slow_computation_also_for_soft_targets(z, y):
    found = losses.build({"name": "focal", "gamma": 2.0})(torch.from_numpy(z), torch.from_numpy(y))
    expected = [[slow_focal(*pair, 2.0) for pair in zip(*rows, strict=True)] for rows in
                zip(z.astype(float), y.astype(float), strict=True)]  # fmt: skip
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-5)


@given(z=LOGITS, y=TARGETS)
def test_focal_with_gamma_zero_is_cross_entropy(z, y):
    z, y = torch.from_numpy(z), torch.from_numpy(y)
    plain = losses.build("bce")(z, y)
    torch.testing.assert_close(losses.build({"name": "focal", "gamma": 0.0})(z, y), plain)


@given(z=LOGITS, y=TARGETS)
def test_exchanging_yes_and_no_changes_nothing(z, y):
    z, y = torch.from_numpy(z), torch.from_numpy(y)
    for spec in ("bce", "focal"):
        loss = losses.build(spec)
        torch.testing.assert_close(loss(z, y), loss(-z, 1 - y), rtol=1e-3, atol=1e-5)


def test_focal_ignores_what_is_already_known():
    focal = losses.build({"name": "focal", "gamma": 2.0})
    easy, hard = focal(torch.tensor([[6.0], [0.0]]), torch.ones(2, 1))
    assert easy.item() < 1e-6 * 20
    assert hard.item() == pytest.approx(0.25 * math.log(2))


def test_smoothing_puts_the_least_cost_at_a_doubtful_probability():
    loss = losses.build({"name": "bce", "smooth": 0.1})
    z = torch.linspace(-6, 6, 1201)[:, None]
    best = z[loss(z, torch.ones_like(z)).argmin()].sigmoid().item()
    assert best == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize(
    "spec", [{"name": "focal", "gamma": -1.0}, {"name": "bce", "smooth": 1.0}, {"name": "lovasz"}]
)
def test_impossible_settings_are_refused(spec):
    with pytest.raises((BadOption, KeyError)):
        losses.build(spec)
