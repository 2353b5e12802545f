"""The ranking losses: pairs one by one, what noise does to them, and steps downhill."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.parts.losses import losses

LOGITS = arrays(np.float64, (5, 2), elements=st.floats(-4, 4))
SHARES = arrays(np.float64, (5, 2), elements=st.sampled_from([0.0, 0.3, 0.5, 1.0]))


def published(z, y, **options):
    loss = losses.build({"name": "nu_auc", **options})
    return loss(torch.from_numpy(z), torch.from_numpy(y)).sum(1).mean().item()


def slowly(z, y, pair_loss):
    """Mean over classes of the weighted mean over all pairs."""
    risks = []
    for c in range(z.shape[1]):
        total, weight = 0.0, 0.0
        for i in range(len(z)):
            for j in range(len(z)):
                pair = y[i, c] * (1 - y[j, c])
                total += pair * pair_loss(z[i, c] - z[j, c])
                weight += pair
        risks.append(total / weight if weight else 0.0)
    return float(np.mean(risks))


@given(z=LOGITS, y=SHARES)
def test_the_symmetric_form_agrees_with_pairs(z, y):
    slow = slowly(z, y, lambda d: 1 / (1 + math.exp(d)))
    assert published(z, y) == pytest.approx(slow, abs=1e-9)


@given(z=LOGITS, y=SHARES)
def test_the_asymmetric_form_agrees_with_pairs(z, y):
    slow = slowly(z, y, lambda d: math.log1p(math.exp(-d)))
    assert published(z, y, symmetric=False) == pytest.approx(slow, abs=1e-9)


def test_wrong_items_among_the_labelled_shrink_the_symmetric_risk_towards_a_half_only():
    rng = np.random.default_rng(0)
    right, wrong = rng.normal(2, 1, (300, 1)), rng.normal(0, 1, (600, 1))
    clean = published(np.r_[right, wrong], np.r_[np.ones((300, 1)), np.zeros((600, 1))])
    # Three hundred of those that do not show it come to carry the label.
    noisy = published(np.r_[right, wrong], np.r_[np.ones((600, 1)), np.zeros((300, 1))])
    assert noisy == pytest.approx((clean + 0.5) / 2, abs=0.02)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_step_downhill_ranks_better_and_extremes_stay_finite(symmetric):
    loss = losses.build({"name": "nu_auc", "symmetric": symmetric})
    z = torch.tensor([[0.3], [0.1], [-0.2], [0.5]], requires_grad=True)
    y = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    (gradient,) = torch.autograd.grad(loss(z, y).sum(), z)
    assert (gradient[:2] < 0).all()
    assert (gradient[2:] > 0).all()
    assert torch.isfinite(loss(z * 500, y)).all()


def test_a_class_without_two_sides_costs_nothing():
    loss = losses.build("nu_auc")
    z = torch.randn(4, 2)
    assert loss(z, torch.ones(4, 2)).sum() == 0
    assert loss(z[:1], torch.tensor([[1.0, 0.0]])).sum() == 0
