"""Support of labels, by hand and against a loop."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.measures.label_support import label_support


def test_by_hand():
    assigned = np.array([[1.0, 0], [0, 0], [1, np.nan], [1, 1]])
    chance = np.array([[0.8, 0.1], [0.2, 0.3], [0.9, 0.5], [0.7, np.nan]])
    found = label_support(assigned, chance, np.array([0, 0, 2, 2]), count=3)
    assert found.n.tolist() == [2, 0, 2]
    np.testing.assert_allclose(found.share, np.array([[0.5, 0.0], [np.nan, np.nan], [1, 1]]))
    np.testing.assert_allclose(found.mean, [[0.5, 0.2], [np.nan, np.nan], [0.8, 0.5]])


@given(st.integers(0, 10_000), st.integers(0, 30))
@settings(deadline=None)
def test_it_agrees_with_a_loop(seed, cells):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, cells)
    assigned, chance = (rng.random((cells, 3)) < 0.5).astype(float), rng.random((cells, 3))
    found = label_support(assigned, chance, group, count=4)
    for g in range(4):
        own = group == g
        assert found.n[g] == own.sum()
        if own.any():
            np.testing.assert_allclose(found.share[g], assigned[own].mean(axis=0))
            np.testing.assert_allclose(found.mean[g], chance[own].mean(axis=0))
