"""The four-parameter curve: what is found again, what is refused, and how sure the midpoint is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from scipy.special import expit
from scipy.stats import spearmanr

from cellwise.errors import BadOption
from cellwise.stages.evaluate.correlation import spearman
from cellwise.stages.evaluate.dose_response import build, dose_steps

DOSES = np.repeat(np.arange(1.0, 10.0), 2)


def _curve(x, bottom, top, midpoint, slope):
    return bottom + (top - bottom) * expit(slope * (x - midpoint))


@pytest.mark.parametrize(
    "truth", [(0.1, 0.9, 4.3, 1.5), (0.8, 0.2, 5.5, 2.0), (0.0, 1.0, 2.5, 4.0)]
)
def test_an_exact_curve_is_found_again(truth):
    found = build(draws=100)(DOSES, _curve(DOSES, *truth), seed=0)
    assert (found.bottom, found.top, found.midpoint, found.slope) == pytest.approx(
        truth, rel=0.02, abs=1e-4
    )
    assert found.r2 == pytest.approx(1, abs=1e-4)
    assert np.sign(found.spearman) == np.sign(truth[1] - truth[0])
    assert found.at(truth[2]) == pytest.approx((truth[0] + truth[1]) / 2, abs=0.01)


def test_a_noisy_curve_is_no_worse_than_scipys_own_fit_and_the_interval_holds_the_truth():
    rng = np.random.default_rng(3)
    y = _curve(DOSES, 0.1, 0.9, 4.3, 1.5) + rng.normal(0, 0.04, len(DOSES))
    found = build()(DOSES, y, seed=0)
    p, _ = curve_fit(_curve, DOSES, y, p0=(0, 1, 4, 1))
    best = ((y - _curve(DOSES, *p)) ** 2).sum()
    assert ((y - found.at(DOSES)) ** 2).sum() <= best * 1.001
    assert found.midpoint == pytest.approx(p[2], abs=0.02)
    assert found.low < 4.3 < found.high
    assert found.high - found.low < 1


def test_the_interval_equals_slow_refits():
    rng = np.random.default_rng(4)
    y = _curve(DOSES, 0.1, 0.9, 4.5, 1.2) + rng.normal(0, 0.06, len(DOSES))
    found = build(draws=400)(DOSES, y, seed=0)
    slow = []
    for _ in range(80):
        rows = rng.integers(0, len(y), len(y))
        slow.append(build(draws=1)(DOSES[rows], y[rows], seed=0).midpoint)
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.2)


@given(st.floats(-5, 5), st.floats(0.1, 10), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_shifting_and_stretching_values_moves_only_the_plateaus(shift, stretch, seed):
    rng = np.random.default_rng(seed)
    y = _curve(DOSES, 0.2, 0.8, 5, 1.5) + rng.normal(0, 0.03, len(DOSES))
    one = build(draws=20)(DOSES, y, seed=0)
    two = build(draws=20)(DOSES, shift + stretch * y, seed=0)
    assert two.midpoint == pytest.approx(one.midpoint, abs=0.02)
    assert two.r2 == pytest.approx(one.r2, abs=1e-3)
    assert two.bottom == pytest.approx(shift + stretch * one.bottom, abs=0.02 * stretch)


def test_a_turned_curve_has_the_mirrored_midpoint():
    y = _curve(DOSES, 0.1, 0.9, 3.0, 1.5)
    assert build(draws=10)(10 - DOSES, y, seed=0).midpoint == pytest.approx(7, abs=0.02)


@pytest.mark.parametrize(
    ("dose", "value", "words"),
    [
        (DOSES, np.full(18, 0.3), "all wells are equal"),
        (np.array([1.0, 2, 3]), np.array([0.1, 0.2, 0.3]), "3 wells at 3 doses"),
        (np.array([]), np.array([]), "0 wells"),
        (np.array([1.0]), np.array([np.nan]), "0 wells"),
    ],
)
def test_what_cannot_be_fitted_says_why(dose, value, words):
    found = build()(dose, value, seed=0)
    assert words in found.reason
    assert np.isnan(found.midpoint)


def test_wells_without_value_are_left_out():
    y = _curve(DOSES, 0.1, 0.9, 4.3, 1.5)
    y[3] = np.nan
    found = build(draws=50)(DOSES, y, seed=0)
    assert found.n == 17
    assert found.midpoint == pytest.approx(4.3, abs=0.02)


def test_noise_alone_has_a_small_r2_and_a_wide_interval():
    found = build()(DOSES, np.random.default_rng(0).random(18), seed=0)
    assert found.r2 < 0.6
    assert found.high - found.low > 3


def test_doses_become_steps():
    assert dose_steps([1, 2, 3, np.nan])[:3].tolist() == [1, 2, 3]
    assert dose_steps([0.1, 10, 1, 10]).tolist() == [1, 3, 2, 3]
    assert dose_steps([5.0]).tolist() == [5.0]
    assert dose_steps([1e-11, 1e-10, 1e-9]).tolist() == [1, 2, 3]


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=20), st.integers(0, 99))
def test_rank_correlation_equals_scipys(values, seed):
    other = np.random.default_rng(seed).integers(0, 4, len(values))
    if len(set(values)) > 1 and len(set(other.tolist())) > 1:
        assert spearman(values, other) == pytest.approx(spearmanr(values, other).statistic)
    else:
        assert np.isnan(spearman(values, other))


def test_bad_options_are_refused():
    with pytest.raises(BadOption):
        build(draws=0)
