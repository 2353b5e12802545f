"""Flooding, beside a slow priority queue."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.flood import flood, flood_in_tiles, flood_into


def slow_flood(height, markers, mask):
    """Dijkstra over (highest level on the way, order of arrival)."""
    labels = np.where(mask, markers, 0)
    queue, arrival = [], 0
    for y, x in np.argwhere(labels > 0):
        heapq.heappush(queue, (height[y, x], arrival, y, x))
        arrival += 1
    while queue:
        level, _, y, x = heapq.heappop(queue)
        for dy, dx in ((-1, 0), (0, -1), (0, 1), (1, 0)):
            b, a = y + dy, x + dx
            if not (0 <= b < mask.shape[0] and 0 <= a < mask.shape[1]):
                continue
            if mask[b, a] and labels[b, a] == 0:
                labels[b, a] = labels[y, x]
                heapq.heappush(queue, (max(level, height[b, a]), arrival, b, a))
                arrival += 1
    return labels


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_flooding_equals_a_slow_priority_queue(seed):
    rng = np.random.default_rng(seed)
    # Whole levels from 0 to 2047 are told apart exactly.
    height = rng.integers(0, 2048, (12, 15)).astype(np.float32)
    height[0, :2] = (0, 2047)
    mask = rng.random((12, 15)) < 0.8
    mask[0, :2] = True
    seeds = (rng.random((12, 15)) < 0.05) * rng.integers(1, 9, (12, 15))
    markers = seeds.astype(np.int32)
    assert np.array_equal(flood(height, markers, mask), slow_flood(height, markers, mask))


def test_flooding_meets_at_the_ridge():
    height = np.array([[0, 1, 5, 1, 0]], np.float32)
    markers = np.array([[1, 0, 0, 0, 2]], np.int32)
    mask = np.ones((1, 5), bool)
    assert flood(height, markers, mask).tolist() == [[1, 1, 1, 2, 2]]


def test_flooding_stays_inside_its_mask():
    markers = np.array([[1, 0, 0, 0, 2]], np.int32)
    mask = np.array([[1, 1, 0, 1, 0]])
    assert flood(np.zeros((1, 5), np.float32), markers, mask).tolist() == [[1, 1, 0, 0, 0]]
    assert flood(np.zeros((1, 5), np.float32), markers, 0 * mask).tolist() == [[0] * 5]


@pytest.mark.parametrize("seed", range(5))
def test_whole_heights_are_taken_as_they_are(seed):
    rng = np.random.default_rng(seed)
    # A narrow range: stretched to all levels it would come out the same, rounded it would not.
    height = rng.integers(100, 104, (20, 30)).astype(np.uint8)
    mask = rng.random(height.shape) < 0.9
    markers = ((rng.random(height.shape) < 0.03) * rng.integers(1, 70_000, height.shape)).astype(
        np.int32
    )
    assert np.array_equal(flood(height, markers, mask), slow_flood(height, markers, mask))


def test_in_place_only_the_mask_changes():
    labels = np.array([[5, 0, 0, 0, 7]], np.int32)
    flood_into(np.zeros((1, 5), np.uint8), labels, np.array([[0, 0, 0, 1, 1]]))
    assert labels.tolist() == [[5, 0, 0, 7, 7]]


def test_markers_and_heights_are_not_written_to():
    height, markers = np.zeros((4, 5), np.float32), np.zeros((4, 5), np.int32)
    markers[1, 1] = 3
    height.setflags(write=False)
    markers.setflags(write=False)
    assert (flood(height, markers, np.ones((4, 5), bool)) == 3).all()


def test_nothing_to_flood():
    empty = np.zeros((6, 4), np.int32)
    full = np.ones((6, 4), np.uint8)
    assert not flood(np.zeros((6, 4), np.float32), empty, full).any()
    assert not flood(np.zeros((6, 4), np.float32), empty + 1, 0 * full).any()
    assert (flood(np.zeros((6, 4), np.float32), empty + 1, full) == 1).all()


def test_views_that_are_not_contiguous_give_the_same():
    rng = np.random.default_rng(1)
    height = rng.random((30, 40)).astype(np.float32)
    markers = ((rng.random(height.shape) < 0.02) * 9).astype(np.int32)
    markers[5, 5] = 4
    mask = rng.random(height.shape) < 0.9
    plain = flood(height[::2, ::-2].copy(), markers[::2, ::-2].copy(), mask[::2, ::-2].copy())
    assert np.array_equal(flood(height[::2, ::-2], markers[::2, ::-2], mask[::2, ::-2]), plain)


@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tile=st.integers(8, 40),
)
@settings(max_examples=30, deadline=None)
def test_tiles_give_what_the_whole_image_gives(seed, shape, tile):
    rng = np.random.default_rng(seed)
    height = rng.random(shape, np.float32)
    mask = rng.random(shape) < 0.75
    # Every region lies between lines without mask, so that it is no longer than 20 pixels.
    mask[::20] = mask[:, ::20] = False
    markers = np.where(rng.random(shape) < 0.02, rng.integers(1, 99, shape), 0).astype(np.int32)
    tiled = flood_in_tiles(height, markers, mask, tile=tile, around=20)
    np.testing.assert_array_equal(tiled, flood(height, markers, mask))


def test_a_region_longer_than_a_tile_sees_is_flooded_to_its_end():
    mask = np.zeros((3, 300), bool)
    mask[1] = True
    markers = np.zeros(mask.shape, np.int32)
    markers[1, 0] = 7
    tiled = flood_in_tiles(np.ones(mask.shape, np.float32), markers, mask, tile=20, around=10)
    np.testing.assert_array_equal(tiled, np.where(mask, 7, 0))
