"""The mean of the brightest pixels of each cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.brightest import brightest_mean


def test_by_hand():
    plane = np.array([[1, 9, 2, 5], [8, 3, 7, 6]], np.float32)
    cells = np.array([[0, 4, 4, 7], [0, 4, 7, 7]], np.uint16)
    assert brightest_mean(plane, cells, np.array([4, 7]), 2).tolist() == [6.0, 6.5]
    assert brightest_mean(plane, cells, np.array([4, 7]), 9).tolist() == [14 / 3, 6.0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), largest=st.sampled_from([5, 70_000]))
def test_as_sorting_says(seed, count, largest):
    random = np.random.default_rng(seed)
    names = np.r_[0, np.sort(random.choice(np.arange(1, largest), 4, replace=False))]
    cells = names[random.integers(0, 5, (17, 23))].astype(np.int32)
    plane = random.random((17, 23)).astype(np.float32)
    ids = np.unique(cells[cells > 0]).astype(np.int64)
    expected = [np.sort(plane[cells == k])[-count:].mean(dtype=np.float64) for k in ids]
    assert brightest_mean(plane, cells, ids, count) == pytest.approx(expected, rel=1e-6)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="nothing to take"):
        brightest_mean(np.zeros((3, 4), np.float32), np.zeros((4, 3), int), np.array([1]), 2)
