"""Numbers in standard deviations, with gaps as the mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.kernels.graphs.standard import standard_scores


@given(st.integers(2, 30), st.integers(0, 10**6), st.floats(0.01, 1e4), st.floats(-1e4, 1e4))
def test_whatever_the_units_scores_have_mean_zero_and_spread_one(points, seed, unit, offset):
    numbers = np.random.default_rng(seed).normal(0, 1, (points, 3))
    found = standard_scores((numbers * unit + offset).astype(np.float64))
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert found.std(axis=0) == pytest.approx(1, abs=1e-4)


def test_gaps_are_the_mean_and_numbers_that_never_differ_are_left_out():
    vectors = np.array([[1, 7, np.nan], [3, 7, 2], [np.nan, 7, 4]], np.float32)
    found = standard_scores(vectors)
    assert found.tolist() == [[-1, 0], [1, -1], [0, 1]]
    assert standard_scores(np.full((3, 2), np.nan, np.float32)).shape == (3, 0)
