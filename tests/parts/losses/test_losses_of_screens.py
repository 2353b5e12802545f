"""Losses of the RxRx1 system: against torch's own, slow sums, and what no rival may change."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import cross_entropy, one_hot

from cellwise.contracts.loss import ForGroups, bound_loss
from cellwise.errors import BadOption
from cellwise.parts.losses import losses

GROUPS = (0, 0, 1, 1, 1, -1)
LOGITS = arrays(np.float64, (4, 6), elements=st.floats(-6, 6))
ANSWERS = st.lists(st.integers(0, 5), min_size=4, max_size=4)


def bound(spec, groups=GROUPS):
    return bound_loss(losses.build(spec), groups)


@given(LOGITS, ANSWERS)
@settings(max_examples=30)
def test_only_the_group_of_the_label_competes(logits, answers):
    logits, truth = torch.from_numpy(logits), torch.tensor(answers)
    found = bound("group_softmax")(logits, one_hot(truth, 6).double())
    for row, answer, value in zip(logits, answers, found, strict=True):
        inside = [k for k in range(6) if GROUPS[k] == GROUPS[answer]]
        wanted = cross_entropy(row[inside][None], torch.tensor([inside.index(answer)]))
        assert float(value) == pytest.approx(float(wanted), abs=1e-9)
    # A class of another group says nothing.
    moved = logits.clone()
    moved[:, 2:5] += 3.0
    outside = [k for k, answer in enumerate(answers) if GROUPS[answer] != 1]
    again = bound("group_softmax")(moved, one_hot(truth, 6).double())
    assert torch.allclose(again[outside], found[outside])


@given(LOGITS, ANSWERS, st.sampled_from([0.025, 0.3]))
@settings(max_examples=30)
def test_smoothing_stays_inside_the_group(logits, answers, smooth):
    logits = torch.from_numpy(logits)
    loss = bound({"name": "group_softmax", "smooth": smooth})
    found = loss(logits, one_hot(torch.tensor(answers), 6).double())
    for row, answer, value in zip(logits.tolist(), answers, found.tolist(), strict=True):
        total = math.log(sum(math.exp(z) for z in row))
        inside = [k for k in range(6) if GROUPS[k] == GROUPS[answer]]
        share = {k: smooth / len(inside) + (1 - smooth) * (k == answer) for k in inside}
        assert value == pytest.approx(sum(s * (total - row[k]) for k, s in share.items()), abs=1e-9)


def test_groups_that_are_not_known_are_refused():
    with pytest.raises(BadOption, match="group_softmax"):
        bound("group_softmax", ())
    spec = {"name": "weighted_sum", "of": ["group_softmax", "softmax_focal"], "weights": [0.5, 2]}
    assert isinstance(losses.build(spec), ForGroups)
    logits, truth = torch.randn(3, 6), one_hot(torch.tensor([0, 3, 5]), 6).float()
    apart = 0.5 * bound("group_softmax")(logits, truth) + 2 * bound("softmax_focal")(logits, truth)
    assert torch.allclose(bound(spec)(logits, truth), apart)


@given(LOGITS, ANSWERS, st.floats(0.1, 1), st.floats(0, 3))
@settings(max_examples=30)
def test_focal_weighs_cross_entropy_by_what_is_not_yet_known(logits, answers, alpha, gamma):
    logits, truth = torch.from_numpy(logits), torch.tensor(answers)
    loss = losses.build({"name": "softmax_focal", "alpha": alpha, "gamma": gamma})
    plain = cross_entropy(logits, truth, reduction="none")
    wanted = alpha * (1 - torch.exp(-plain)) ** gamma * plain
    assert torch.allclose(loss(logits, one_hot(truth, 6).double()), wanted)


@given(arrays(np.float64, (4, 6), elements=st.floats(-0.99, 0.99)), ANSWERS, st.floats(0, 1))
@settings(max_examples=30)
def test_arcface_adds_the_margin_to_the_angle_of_the_label(cosines, answers, margin):
    scale = 32.0
    loss = losses.build({"name": "arcface", "scale": scale, "margin": margin})
    truth = torch.tensor(answers)
    found = loss(scale * torch.from_numpy(cosines), one_hot(truth, 6).double())
    for row, answer, value in zip(cosines.tolist(), answers, found.tolist(), strict=True):
        angle, moved = math.acos(row[answer]), list(row)
        easy = row[answer] - math.sin(margin) * margin
        moved[answer] = math.cos(angle + margin) if angle + margin < math.pi else easy
        wanted = cross_entropy(
            scale * torch.tensor([moved], dtype=torch.float64), torch.tensor([answer])
        )
        assert value == pytest.approx(float(wanted), abs=1e-6)


def test_a_margin_of_none_is_cross_entropy_and_a_larger_one_asks_for_more():
    logits, truth = 32 * torch.rand(5, 6) - 16, one_hot(torch.arange(5), 6).float()
    values = [
        losses.build({"name": "arcface", "margin": m})(logits, truth).sum() for m in (0, 0.2, 0.5)
    ]
    plain = losses.build({"name": "softmax", "none": False})(logits, truth).sum()
    assert values[0] == pytest.approx(float(plain), rel=1e-5)
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "softmax_focal", "alpha": 0},
        {"name": "softmax_focal", "gamma": -1},
        {"name": "arcface", "margin": 3.2},
        {"name": "arcface", "scale": 0},
        {"name": "group_softmax", "smooth": 2},
    ],
)
def test_settings_that_mean_nothing_are_refused(spec):
    with pytest.raises(BadOption):
        losses.build(spec)
