"""Losses as their authors wrote them, given soft targets: against slow computations in numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import BadOption
from cellwise.parts.losses import losses

LOGITS = arrays(np.float64, (5, 3), elements=st.floats(-6, 6), unique=True)
TARGETS = arrays(np.float64, (5, 3), elements=st.floats(0, 1))
MARGIN = {"name": "focal", "gamma": 2.0, "surprise": "margin"}
SOFT = {"name": "symmetric_lovasz", "soft": True}
Z = torch.tensor([[2, -1, 0.5], [-0.3, 1.2, -2], [0.1, 0.4, -0.6], [-1.5, 0.2, 0.9]])
Y = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])


def published(spec, z, y):
    """Summed over classes, mean over items."""
    return losses.build(spec)(torch.as_tensor(z), torch.as_tensor(y)).sum(1).mean().item()


def slow_focal(z, y, gamma=2.0):
    surprise = 1 / (1 + np.exp(z * (2 * y - 1)))
    return (surprise**gamma * (np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - z * y)).sum(1)


def slow_hinge(z, y):
    """One class after another, as for images of as many pixels as the batch has items."""
    total = 0.0
    for logit, wanted in zip(z.T, y.T, strict=True):
        errors = 1 - logit * (2 * wanted - 1)
        order = np.argsort(-errors, kind="stable")
        ranked = wanted[order]
        jaccard = []
        for place in range(len(ranked)):
            inside = ranked.sum() - ranked[: place + 1].sum()
            union = ranked.sum() + (1 - ranked[: place + 1]).sum()
            jaccard.append(1 - inside / union)
        slopes = np.diff([0.0, *jaccard])
        total += (np.maximum(errors[order], 0) * slopes).sum()
    return total / z.shape[1]


@given(z=LOGITS, y=TARGETS)
def test_focal_by_margin_is_the_written_form_for_soft_targets(z, y):
    assert published(MARGIN, z, y) == pytest.approx(slow_focal(z, y).mean(), rel=1e-6, abs=1e-9)


@given(z=LOGITS, y=TARGETS)
def test_soft_lovasz_counts_a_half_as_half_a_member(z, y):
    expected = (slow_hinge(z, y) + slow_hinge(-z, 1 - y)) / 2
    assert published(SOFT, z, y) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_both_forms_are_those_of_before_for_hard_targets():
    assert published(MARGIN, Z, Y) == pytest.approx(0.794787, abs=1e-6)
    assert published(SOFT, Z, Y) == pytest.approx(1.213889, abs=1e-6)
    plain = {"name": "focal", "gamma": 2.0}
    assert published(MARGIN, Z, 0.3 * Y + 0.3) != pytest.approx(published(plain, Z, 0.3 * Y + 0.3))


def test_the_combined_loss_of_soft_labels_is_half_of_each():
    both = {"name": "weighted_sum", "of": [MARGIN, SOFT, "hard_log"], "weights": [0.5, 0.5, 0.5]}
    soft = 0.2 + 0.6 * Y
    parts = [published(spec, Z, soft) for spec in (MARGIN, SOFT, "hard_log")]
    assert published(both, Z, soft) == pytest.approx(sum(parts) / 2, rel=1e-6)


def test_an_unknown_surprise_is_refused():
    with pytest.raises(BadOption, match="surprise"):
        losses.build({"name": "focal", "surprise": "great"})
