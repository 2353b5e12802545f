"""Spread within and between groups, against loops and the law of total variance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.measures.variability import group_quantiles, share_within


def test_ends_by_hand():
    group = np.array([0, 0, 1, 1])
    assert share_within(np.array([0.0, 0, 1, 1]), group) == 0
    assert share_within(np.array([0.0, 1, 0, 1]), group) == 1
    assert share_within(np.full(4, 0.3), group) is None
    assert share_within(np.zeros(0), np.zeros(0, int)) is None


@given(st.integers(0, 10_000), st.integers(2, 40))
@settings(deadline=None)
def test_what_lies_not_within_lies_between(seed, cells):
    rng = np.random.default_rng(seed)
    values, group = rng.random(cells), rng.integers(0, 5, cells)
    middle = np.array([values[group == g].mean() for g in group])
    assert share_within(values, group) == pytest.approx(1 - middle.var() / values.var())


@given(st.integers(0, 10_000), st.integers(0, 40))
@settings(deadline=None)
def test_quantiles_of_each_group(seed, cells):
    rng = np.random.default_rng(seed)
    values, group = rng.random(cells), rng.integers(0, 5, cells)
    found = group_quantiles(values, group, (0.25, 0.5), count=5)
    for g in range(5):
        own = values[group == g]
        slow = np.percentile(own, (25, 50)) if own.size else [np.nan, np.nan]
        np.testing.assert_allclose(found[g], slow)
