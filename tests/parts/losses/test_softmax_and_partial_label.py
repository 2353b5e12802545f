"""Losses over classes that exclude each other: hand values, slow computations, gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import BadOption
from cellwise.parts.losses import losses

LOGITS = arrays(np.float64, (4, 3), elements=st.floats(-8, 8))
TARGETS = arrays(np.float64, (4, 3), elements=st.sampled_from([0.0, 0.0, 0.3, 0.5, 1.0]))
SPECS = [
    {"name": name, "none": none} for name in ("softmax", "partial_label") for none in (True, False)
]


def chances(row, *, none):
    """Probabilities of the classes, and of none of them, by the definition."""
    powers = [math.exp(z) for z in row]
    rest = 1.0 if none else 0.0
    total = sum(powers) + rest
    return [p / total for p in powers], rest / total


def slow_softmax(row, target, *, none, smooth):
    p, p_none = chances(row, none=none)
    if none:
        share = [t / max(1.0, sum(target)) for t in target]
        share.append(max(0.0, 1.0 - sum(share)))
        p.append(p_none)
    else:
        share = [t / sum(target) if sum(target) else 0.0 for t in target]
    total = sum(share)
    share = [s * (1 - smooth) + smooth * total / len(share) for s in share]
    return -sum(s * math.log(q) for s, q in zip(share, p, strict=True))


def slow_partial_label(row, target, *, none):
    p, p_none = chances(row, none=none)
    mass = sum(t * q for t, q in zip(target, p, strict=True))
    if sum(target) == 0:
        return -math.log(p_none) if none else 0.0
    return -math.log(mass)


def test_one_right_class_costs_minus_the_log_of_its_probability():
    logits, target = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[0.0, 1.0]])
    without = {"name": "softmax", "none": False}
    assert losses.build(without)(logits, target).item() == pytest.approx(-math.log(3 / 4))
    # With "none", whose logit is 0, there are five parts: 1 + 3 + 1.
    assert losses.build("softmax")(logits, target).item() == pytest.approx(-math.log(3 / 5))


def test_labels_of_a_field_share_one_answer():
    logits, target = torch.tensor([[0.0, math.log(3), 7.0]]), torch.tensor([[1.0, 1.0, 0.0]])
    total = 1 + 3 + math.exp(7) + 1
    shared = -(math.log(1 / total) + math.log(3 / total)) / 2
    assert losses.build("softmax")(logits, target).item() == pytest.approx(shared)
    either = -math.log(4 / total)
    assert losses.build("partial_label")(logits, target).item() == pytest.approx(either)


def test_an_item_without_label_shows_none():
    logits, target = torch.tensor([[0.0, math.log(2)]]), torch.zeros(1, 2)
    for name in ("softmax", "partial_label"):
        assert losses.build(name)(logits, target).item() == pytest.approx(-math.log(1 / 4))
        without = losses.build({"name": name, "none": False})
        assert without(logits, target).item() == 0


def test_half_a_label_leaves_the_other_half_to_none():
    logits, target = torch.zeros(1, 3), torch.tensor([[0.5, 0.0, 0.0]])
    logits[0, 0] = 1.0
    found = losses.build("softmax")(logits, target).item()
    total = math.e + 3
    assert found == pytest.approx(-(math.log(math.e / total) + math.log(1 / total)) / 2)


@given(LOGITS, TARGETS, st.booleans(), st.sampled_from([0.0, 0.2]))
@settings(deadline=None)
def test_softmax_agrees_with_a_slow_computation(z, y, none, smooth):
    loss = losses.build({"name": "softmax", "none": none, "smooth": smooth})
    found = loss(torch.from_numpy(z), torch.from_numpy(y))
    expected = [
        slow_softmax(*rows, none=none, smooth=smooth)
        for rows in zip(z.tolist(), y.tolist(), strict=True)
    ]
    assert found.shape == (4,)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


@given(LOGITS, TARGETS, st.booleans())
@settings(deadline=None)
def test_partial_label_agrees_with_a_slow_computation(z, y, none):
    loss = losses.build({"name": "partial_label", "none": none})
    found = loss(torch.from_numpy(z), torch.from_numpy(y))
    expected = [
        slow_partial_label(*rows, none=none) for rows in zip(z.tolist(), y.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


@given(LOGITS, TARGETS)
@settings(max_examples=30, deadline=None)
def test_gradients_are_those_of_small_steps(z, y):
    for spec in SPECS:
        loss = losses.build(spec)
        logits = torch.from_numpy(z).requires_grad_()
        assert torch.autograd.gradcheck(lambda v, f=loss: f(v, torch.from_numpy(y)), logits)


@given(LOGITS, TARGETS, st.permutations(range(3)))
@settings(deadline=None)
def test_the_order_of_classes_does_not_matter(z, y, order):
    z, y = torch.from_numpy(z), torch.from_numpy(y)
    for spec in SPECS:
        loss = losses.build(spec)
        torch.testing.assert_close(loss(z, y), loss(z[:, order], y[:, order]))


@given(LOGITS)
@settings(deadline=None)
def test_with_one_label_both_are_the_same_loss(z):
    z, y = torch.from_numpy(z), torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0]]
    for none in (True, False):
        one, other = (
            losses.build({"name": name, "none": none}) for name in ("softmax", "partial_label")
        )
        torch.testing.assert_close(one(z, y), other(z, y))


def test_smoothing_outside_0_to_1_is_refused():
    with pytest.raises(BadOption, match="smoothing"):
        losses.build({"name": "softmax", "smooth": 1.0})
