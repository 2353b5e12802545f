"""Nearest neighbours against all distances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.graphs import neighbours as module
from cellwise.kernels.graphs.neighbours import in_lists, nearest


def _by_distance(points, count, apart, first=None):
    """The slow way: neighbours of each point, or of the first ones, as sets."""
    some = points[:first].astype(np.float64)
    far = ((some[:, None] - points[None]) ** 2).sum(-1)
    far[apart[:first, None] == apart[None]] = np.inf
    order = np.argsort(far, axis=1, kind="stable")[:, :count]
    return [{int(j) for j in row if np.isfinite(far[i, j])} for i, row in enumerate(order)]


@settings(max_examples=40)
@given(
    st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 5), st.integers(1, 12), st.booleans()
)
def test_all_neighbours_of_few_points_are_found(seed, count, numbers, wanted, cut):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, numbers)).astype(np.float32)
    apart = rng.integers(0, 6, count) if cut else np.arange(count)
    found = nearest(points, wanted, in_lists(points), apart)
    expected = _by_distance(points, wanted, apart)
    assert [{int(j) for j in row if j >= 0} for row in found] == expected


def test_the_guess_that_leaves_most_of_a_row_out_loses_no_neighbour():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(3000, 6)).astype(np.float32)
    # Every eighth point, of which the guess is made, lies near the first.
    points[::8] = points[0] + 0.01 * rng.normal(size=points[::8].shape)
    found = nearest(points, 40, in_lists(points))[:30]
    far = ((points[:30, None].astype(np.float64) - points[None]) ** 2).sum(-1)
    far[np.arange(30), np.arange(30)] = np.inf
    assert np.allclose(
        np.sort(np.take_along_axis(far, found.astype(np.int64), 1)), np.sort(far)[:, :40]
    )


def test_many_points_in_lists_find_nearly_all_their_neighbours(monkeypatch):
    monkeypatch.setattr(module, "_ALL", 1000)
    monkeypatch.setattr(module, "_LEAST", 500)
    rng = np.random.default_rng(2)
    points = (rng.normal(size=(40, 8))[rng.integers(40, size=4000)] * 3).astype(np.float32)
    points += rng.normal(size=points.shape).astype(np.float32)
    lists = in_lists(points)
    assert len(lists.centres) > 5
    assert sorted(lists.order) == list(range(4000))
    own = points[lists.order]
    found = nearest(own, 10, lists)
    expected = _by_distance(own, 10, np.arange(4000), 300)
    pairs = zip(found[:300], expected, strict=True)
    assert np.mean([len(set(some.tolist()) & theirs) / 10 for some, theirs in pairs]) > 0.93
    assert np.array_equal(found, nearest(own, 10, in_lists(points)))


def test_points_that_are_all_the_same_have_neighbours_and_a_lone_one_has_none():
    points = np.zeros((50, 3), np.float32)
    found = nearest(points, 5, in_lists(points))
    assert all(len(set(row)) == 5 and i not in row for i, row in enumerate(found.tolist()))
    assert nearest(points[:1], 2, in_lists(points[:1])).tolist() == [[-1, -1]]
    with pytest.raises(ValueError, match="at least 1"):
        nearest(points, 0, in_lists(points))
