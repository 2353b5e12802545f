"""The pieces below the watershed, each beside a slow and plain computation of the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from cellwise.stages.segment.watershed.foreground import (
    find_foreground,
    inscribed_diameter,
    weighted_median,
)
from cellwise.stages.segment.watershed.regions import (
    fill_small_holes,
    merge_shallow,
    renumber,
    saddles,
    whole_pieces,
)

small_labels = hnp.arrays(np.int32, (9, 11), elements=st.integers(0, 4))


@given(small_labels)
@settings(max_examples=60, deadline=None)
def test_a_label_keeps_its_largest_piece(labels):
    result = whole_pieces(labels)
    for label in range(1, 5):
        pieces, count = ndimage.label(labels == label)
        kept = result == label
        assert kept.sum() == max(np.bincount(pieces.ravel())[1:], default=0)
        if count:
            assert len(np.unique(pieces[kept])) == 1
    assert np.all((result == labels) | (result == 0))


@given(small_labels, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_saddles_are_the_highest_meeting_points(labels, seed):
    height = np.random.default_rng(seed).random(labels.shape).astype(np.float32)
    expected = {}
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            for b, a in ((y + 1, x), (y, x + 1)):
                if b < labels.shape[0] and a < labels.shape[1]:
                    pair = tuple(sorted((int(labels[y, x]), int(labels[b, a]))))
                    if pair[0] > 0 and pair[0] != pair[1]:
                        low = min(height[y, x], height[b, a])
                        expected[pair] = max(expected.get(pair, low), low)
    pairs, passes = saddles(labels, height)
    found = {(int(a), int(b)): p for (a, b), p in zip(pairs, passes, strict=True)}
    assert found == expected


def test_shallow_passes_join_and_deep_ones_part():
    peaks = np.array([0, 10, 8, 9], np.float32)
    pairs = np.array([[1, 2], [2, 3]])
    joined = merge_shallow(peaks, pairs, np.array([7.5, 4.0], np.float32), keep=0.9)
    assert joined.tolist() == [0, 1, 1, 3]


def test_a_merged_region_is_judged_by_its_higher_peak():
    peaks = np.array([0, 10, 5, 10], np.float32)
    pairs = np.array([[1, 2], [2, 3]])
    passes = np.array([5.0, 4.9], np.float32)
    # 2 joins 1 and then counts as high as 1, so the pass of 4.9 parts it from 3.
    assert merge_shallow(peaks, pairs, passes, keep=0.9).tolist() == [0, 1, 1, 3]


def test_only_small_holes_are_filled():
    mask = np.full((12, 12), 255, np.uint8)
    mask[2, 2] = 0
    mask[5:9, 5:9] = 0
    filled = fill_small_holes(mask, 4)
    assert filled[2, 2] == 255
    assert (filled[5:9, 5:9] == 0).all()


@given(small_labels, st.lists(st.booleans(), min_size=5, max_size=5))
def test_renumbering_leaves_no_gap_and_keeps_the_order(labels, keep):
    result = renumber(labels, np.array(keep))
    kept = [label for label in range(1, 5) if keep[label]]
    for new, old in enumerate(kept, start=1):
        assert np.array_equal(result == new, labels == old)
    assert result.max(initial=0) <= len(kept)


def test_weighted_median_is_the_median_of_the_repeated_values():
    rng = np.random.default_rng(0)
    values, weights = rng.random(30), rng.integers(1, 20, 30)
    repeated = np.sort(np.repeat(values, weights))
    assert weighted_median(values, weights) == repeated[(weights.sum() + 1) // 2 - 1]


@pytest.mark.parametrize("radius", [8, 20, 50])
def test_the_diameter_of_discs_is_measured_even_where_they_touch(radius):
    y, x = np.mgrid[: 4 * radius, : 6 * radius]
    mask = np.zeros(y.shape, np.uint8)
    for centre in (1.5, 3.3):
        mask |= (np.hypot(y - 2 * radius, x - centre * radius) < radius).astype(np.uint8)
    assert inscribed_diameter(mask * np.uint8(255)) == pytest.approx(2 * radius, rel=0.1)
    assert inscribed_diameter(0 * mask) == 0


@given(st.floats(0.01, 50.0), st.floats(0.0, 0.5))
@settings(max_examples=20, deadline=None)
def test_the_foreground_ignores_gain_and_offset(gain, offset):
    y, x = np.mgrid[:100, :100]
    plane = (np.hypot(y - 50, x - 50) < 15) * 0.5 + 0.1
    plane = plane.astype(np.float32)
    first = find_foreground(plane, smooth=1.0)
    other = find_foreground(plane * np.float32(gain) + np.float32(offset), smooth=1.0)
    assert first is not None
    assert other is not None
    assert np.mean(first.mask != other.mask) < 0.002
