"""Clean negatives: a slow risk, where it is cross-entropy, and that it is never below 0."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.parts.losses import bce, clean_negatives


def made(seed, cells=30, classes=3):
    random = np.random.default_rng(seed)
    logits = torch.tensor(random.normal(0, 2, (cells, classes)), dtype=torch.float64)
    targets = torch.tensor(random.random((cells, classes)) < random.uniform(0.1, 0.9))
    return logits, targets.double()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1))
def test_the_sum_over_a_batch_is_the_risk_and_never_negative(seed, prior):
    logits, targets = made(seed)
    found = clean_negatives.build(prior)(logits, targets).sum(0)
    for k in range(logits.shape[1]):
        with_k = logits[targets[:, k] > 0, k].numpy()
        without = logits[targets[:, k] == 0, k].numpy()
        yes, no = (lambda z: np.log1p(np.exp(-z))), (lambda z: np.log1p(np.exp(z)))
        if not len(without):
            slow = yes(with_k).sum()
        else:
            hidden = (1 - prior) * len(with_k)
            bracket = yes(with_k).sum() - hidden * yes(without).mean()
            slow = (hidden + len(without)) * no(without).mean() + max(bracket, 0)
        assert float(found[k]) == pytest.approx(slow, rel=1e-6)
        assert found[k] >= 0


def test_with_all_cells_showing_it_is_cross_entropy():
    logits, targets = made(1)
    one, other = clean_negatives.build(1.0), bce.build()
    assert torch.allclose(one(logits, targets), other(logits, targets))


def test_cells_alike_to_clean_ones_are_not_pulled_to_yes():
    """Fields with the label hold many cells like those without: a lower prior claims fewer."""
    logits = torch.zeros(4, 1, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[1.0], [1.0], [0.0], [0.0]], dtype=torch.float64)
    pulls = []
    for prior in (1.0, 0.3):
        shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
        clean_negatives.build(prior)(logits + shift, targets).sum().backward()
        pulls.append(float(shift.grad))
    assert pulls[1] > pulls[0]


@pytest.mark.parametrize("prior", [0.0, 1.5, float("nan")])
def test_an_impossible_share_is_refused(prior):
    with pytest.raises(BadOption, match="prior"):
        clean_negatives.build(prior)
