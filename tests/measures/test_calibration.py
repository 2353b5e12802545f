"""Calibration error and Brier score, against loops over bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from cellwise.measures.calibration import curve, errors, sums_by_bin


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 12))
@settings(deadline=None)
def test_errors_of_a_loop_over_bins(seed, items, bins):
    rng = np.random.default_rng(seed)
    chance, groups = rng.random((items, 2)), rng.integers(0, 3, items)
    truth = rng.random((items, 2)) < chance
    sums = sums_by_bin(truth, chance, groups, (3, bins))
    ece, brier = errors(np.ones((1, 3)), *sums)
    error, points = 0.0, []
    for b in range(bins):
        inside = np.minimum(np.floor(chance * bins), bins - 1) == b
        if inside.any():
            points.append((chance[inside].mean(), truth[inside].mean(), inside.sum()))
            error += inside.mean() * abs(points[-1][0] - points[-1][1])
    assert ece[0] == pytest.approx(error)
    assert brier[0] == pytest.approx(brier_score_loss(truth.ravel(), chance.ravel()))
    np.testing.assert_allclose(curve(*sums[:3]), points)


def test_a_group_drawn_twice_counts_twice():
    truth, chance = np.array([[True], [False]]), np.array([[0.9], [0.4]])
    sums = sums_by_bin(truth, chance, np.array([0, 1]), (2, 10))
    ece, brier = errors(np.array([[2.0, 1.0], [0.0, 0.0]]), *sums)
    assert ece[0] == pytest.approx((2 * 0.1 + 0.4) / 3)
    assert brier[0] == pytest.approx((2 * 0.01 + 0.16) / 3)
    assert np.isnan([ece[1], brier[1]]).all()
