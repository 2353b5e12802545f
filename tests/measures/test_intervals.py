"""Intervals of draws and of shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.measures.bootstrap import drawn, group_draws, numbered, row_means
from cellwise.measures.intervals import interval, share_interval, wilson_interval


def test_machinery_of_the_bootstrap():
    assert numbered(["b", "a", "b"]).tolist() == [1, 0, 1]
    drawn = group_draws(7, draws=20, seed=0)
    assert (drawn.sum(axis=1) == 7).all()
    assert group_draws(0, draws=3, seed=0).shape == (3, 0)
    assert interval(np.array([np.nan, np.nan, 1.0]))[0] != interval(np.array([np.nan, 1.0]))[0]
    assert row_means(np.array([[1.0, np.nan], [np.nan, np.nan]]))[0] == 1


def test_wilson_by_hand():
    # 0 of 10 and 10 of 10: z^2 / (n + z^2) from the end.
    low, high = wilson_interval(np.array([0.0, 10.0]), 10)
    edge = 1.959964**2 / (10 + 1.959964**2)
    assert low == pytest.approx([0, 1 - edge], abs=1e-6)
    assert high == pytest.approx([edge, 1], abs=1e-6)


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_holds_the_share_and_narrows_with_n(n, share):
    hits = np.array([float(round(share * n))])
    low, high = wilson_interval(hits, n)
    wide_low, wide_high = wilson_interval(hits * 4, 4 * n)
    assert 0 <= low[0] <= hits[0] / n <= high[0] <= 1
    assert wide_high[0] - wide_low[0] < high[0] - low[0]


def test_the_bootstrap_equals_slow_draws():
    hits, n = np.array([[1.0], [3.0], [6.0]]), np.array([6, 6, 6])
    low, high = share_interval(hits, n, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    slow = []
    for _ in range(4000):
        chosen = rng.integers(0, 3, 3)
        slow.append(sum(hits[i, 0] for i in chosen) / sum(n[i] for i in chosen))
    assert [low[0], high[0]] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.12)


def test_draws_of_a_generator_in_use_are_those_of_its_state():
    random = np.random.default_rng(4)
    first = drawn(random, 6, draws=3)
    assert np.array_equal(first, group_draws(6, draws=3, seed=4))
    assert not np.array_equal(first, drawn(random, 6, draws=3))
    assert drawn(random, 1, draws=2).tolist() == [[1], [1]]


@given(st.integers(1, 200), st.sampled_from([0.0, 1.0]))
def test_what_was_right_throughout_has_the_exact_interval_of_as_many_groups(units, value):
    low, high = interval(np.full(50, value), units=units)
    # Chance of that many hits (misses) in a row, at the far end.
    far = low if value else 1 - high
    assert far**units == pytest.approx(0.025)
    assert (high if value else low) == value


def test_exact_intervals_are_of_figures_without_width_only():
    low, high = interval(np.ones(9), units=4)
    assert low == pytest.approx(0.3976, abs=1e-4)
    assert high == 1
    assert interval(np.ones(9)) == (1.0, 1.0)
    assert interval(np.full(9, 0.5), units=4) == (0.5, 0.5)
    mixed = np.r_[np.ones(99), 0.9]
    assert interval(mixed, units=4) == interval(mixed)
