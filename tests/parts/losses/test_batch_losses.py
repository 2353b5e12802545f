"""Losses of the HPA systems: published values, slow computations by the definition, gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import BadOption, UnknownName
from cellwise.parts.losses import losses

Z = torch.tensor([[2, -1, 0.5], [-0.3, 1.2, -2], [0.1, 0.4, -0.6], [-1.5, 0.2, 0.9]])
Y = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
COMBINED = {
    "name": "weighted_sum",
    "of": [{"name": "focal", "gamma": 2.0}, "symmetric_lovasz", "hard_log"],
    "weights": [0.5, 0.5, 0.5],
}
BATCH_LOSSES = ["alpha_focal", "symmetric_lovasz", "hard_log", "soft_hard_log", COMBINED]
# Distinct logits: which of two equal ones is harder is nobody's business.
LOGITS = st.permutations(list(range(-9, 9))).map(
    lambda order: np.array(order, np.float64).reshape(6, 3) / 3
)
SHARES = arrays(np.float64, (6, 3), elements=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]))


def published(spec, z=Z, y=Y):
    """Summed over classes, mean over the batch."""
    return losses.build(spec)(z, y).sum(1).mean().item()


@pytest.mark.parametrize(
    ("spec", "value"),
    [("symmetric_lovasz", 1.213889), ("hard_log", 0.691203), (COMBINED, 1.349940)],
)
def test_the_published_values(spec, value):
    assert published(spec) == pytest.approx(value, abs=1e-6)


def test_the_published_value_of_alpha_focal_is_a_sum():
    assert losses.build("alpha_focal")(Z, Y).sum().item() == pytest.approx(1.557734, abs=1e-6)


def bce(z, y):
    return math.log1p(math.exp(-abs(z))) + max(z, 0) - z * y


def slow_hinge(z, y):
    """The Lovasz hinge of one column by its definition, set by set."""
    errors = [1 - a * (2 * b - 1) for a, b in zip(z, y, strict=True)]
    order = sorted(range(len(z)), key=lambda i: -errors[i])
    members = {i for i in order if y[i]}

    def jaccard_loss(wrong):
        # Wrong members are lost, wrong others come in.
        found = (members - wrong) | (wrong - members)
        both = members | found
        return 1 - len(members & found) / len(both) if both else 0.0

    total, before = 0.0, 0.0
    for k in range(len(order)):
        after = jaccard_loss(set(order[: k + 1]))
        total += max(errors[order[k]], 0) * (after - before)
        before = after
    return total


@given(z=LOGITS, y=SHARES)
def test_lovasz_agrees_with_sets(z, y):
    hard = (y >= 0.5).astype(float)
    columns = [
        (slow_hinge(z[:, c], hard[:, c]) + slow_hinge(-z[:, c], 1 - hard[:, c])) / 2
        for c in range(3)
    ]
    found = published("symmetric_lovasz", torch.from_numpy(z), torch.from_numpy(y))
    assert found == pytest.approx(np.mean(columns), rel=1e-9)


def slow_hard_log(z, y, present, absent):
    yes = [i for i in range(len(z)) if y[i] > present]
    no = sorted((i for i in range(len(z)) if y[i] <= absent), key=lambda i: -z[i])
    n, p = len(no), len(yes)
    kept = yes + no[: min(n, p + max(2, math.floor(0.5 * n)), math.floor(0.7 * n) + 2)]
    return sum(bce(z[i], y[i]) for i in kept) / len(kept) if kept else 0.0


@given(z=LOGITS, y=SHARES)
@pytest.mark.parametrize(("present", "absent"), [(0.0, 0.0), (0.6, 0.4)])
def test_hard_log_agrees_with_lists(z, y, present, absent):
    spec = {"name": "hard_log", "present": present, "absent": absent}
    columns = [slow_hard_log(z[:, c], y[:, c], present, absent) for c in range(3)]
    found = published(spec, torch.from_numpy(z), torch.from_numpy(y))
    assert found == pytest.approx(np.mean(columns), rel=1e-9)


def slow_soft_hard_log(z, y):
    yes = sorted((i for i in range(len(z)) if y[i] > 0.75), key=lambda i: z[i])
    no = sorted((i for i in range(len(z)) if y[i] < 0.25), key=lambda i: -z[i])
    kept = [i for side in (yes, no) for i in side[: max(2, math.floor(0.2 * len(side)))]]
    return sum(y[i] * bce(z[i], 1) for i in kept) / len(kept) if kept else 0.0


@given(z=LOGITS, y=SHARES)
def test_soft_hard_log_agrees_with_lists(z, y):
    columns = [slow_soft_hard_log(z[:, c], y[:, c]) for c in range(3)]
    found = published("soft_hard_log", torch.from_numpy(z), torch.from_numpy(y))
    assert found == pytest.approx(np.mean(columns), rel=1e-9)


@given(z=LOGITS, y=SHARES)
def test_alpha_focal_agrees_with_a_slow_computation(z, y):
    found = losses.build("alpha_focal")(torch.from_numpy(z), torch.from_numpy(y)).numpy()
    p = 1 / (1 + np.exp(-z))
    slow = -y * 0.25 * (1 - p) ** 2 * np.log(p) - (1 - y) * 0.75 * p**2 * np.log(1 - p)
    np.testing.assert_allclose(found, slow, rtol=1e-9)


def test_the_late_combination_adds_a_quarter():
    late = {"name": "weighted_sum", "of": ["focal", "soft_hard_log"], "weights": [1, 0.25]}
    assert published(late) == pytest.approx(
        published("focal") + 0.25 * published("soft_hard_log"), abs=1e-6
    )


@pytest.mark.parametrize("spec", BATCH_LOSSES, ids=str)
def test_a_step_downhill_costs_less_and_extremes_stay_finite(spec):
    loss = losses.build(spec)
    z = Z.clone().requires_grad_()
    before = loss(z, Y).sum()
    (gradient,) = torch.autograd.grad(before, z)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0
    assert loss(Z - 1e-3 * gradient, Y).sum() < before
    assert torch.isfinite(loss(Z * 200, Y)).all()


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "alpha_focal", "alpha": 1.5},
        {"name": "hard_log", "present": 0.2, "absent": 0.5},
        {"name": "soft_hard_log", "share": 0.0},
        {"name": "weighted_sum", "of": ["bce", "focal"], "weights": [1]},
        {"name": "weighted_sum", "of": []},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(spec):
    with pytest.raises(BadOption):
        losses.build(spec)


def test_an_unknown_part_of_a_sum_is_named():
    with pytest.raises(UnknownName, match="focla"):
        losses.build({"name": "weighted_sum", "of": ["focla"]})


def test_losses_of_labels_and_of_items_are_not_added():
    mixed = losses.build({"name": "weighted_sum", "of": ["bce", "softmax"]})
    with pytest.raises(BadOption, match="cannot be added"):
        mixed(Z, Y)
