"""Pieces of nuclei: their measures beside slow computations, which are joined, what is tidied."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellwise.stages.segment.watershed.joining import WEIGHTS, join_pieces, measure, pair_measures
from cellwise.stages.segment.watershed.regions import areas, moments, roundness, smoothed
from cellwise.stages.segment.watershed.tidying import (
    drop_debris,
    drop_out_of_focus,
    outline,
    without_holes,
)

small_labels = hnp.arrays(np.int32, (9, 11), elements=st.integers(0, 4))
Y, X = np.mgrid[:80, :120].astype(np.float64)


def disc(y, x, radius):
    return np.hypot(Y - y, X - x) < radius


def ellipse(y, x, long, short):
    return ((Y - y) / short) ** 2 + ((X - x) / long) ** 2 < 1


def round_of(mask):
    return roundness(moments(mask.astype(np.int32), 2))[1]


@given(small_labels)
@settings(max_examples=40, deadline=None)
def test_moments_are_the_sums_and_add_up(labels):
    table = moments(labels, 5)
    for label in range(1, 5):
        y, x = np.nonzero(labels == label)
        sums = [len(y), y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (x * y).sum()]
        assert np.array_equal(table[label], sums)
    whole = moments((labels > 0).astype(np.int32), 2)[1]
    assert np.allclose(table[1:].sum(axis=0), whole)


def test_ellipses_are_round_and_clumps_are_not():
    assert round_of(disc(40, 60, 20)) == pytest.approx(1, abs=0.01)
    assert round_of(ellipse(40, 60, 50, 15)) == pytest.approx(1, abs=0.01)
    # Closed form for two discs that touch: 2 / (4 sqrt(5 / 16)).
    two = disc(40, 39.5, 20) | disc(40, 79.5, 20)
    assert round_of(two) == pytest.approx(2 / (4 * np.sqrt(5 / 16)), abs=0.02)
    assert round_of(disc(40, 60, 20) & ~disc(40, 60, 14)) < 0.5
    assert round_of(disc(40, 60, 20) & (X < 60)) == pytest.approx(0.946, abs=0.02)


def two_halves(step):
    """A bright disc cut in two, the right half brighter by a factor; and the landscape of it."""
    mask = disc(40, 60, 20)
    labels = np.where(mask, np.where(X < 60, 1, 2), 0).astype(np.int32)
    height = np.where(mask, 20 - np.hypot(Y - 40, X - 60), 0).astype(np.float32)
    bright = np.where(mask & (X >= 60), np.log(step), 0).astype(np.float32)
    return labels, height, bright


def test_measures_of_a_pair_by_hand():
    labels, height, bright = two_halves(2.0)
    pieces = measure(labels, height, bright)
    found = pair_measures(pieces, np.array([1]), np.array([2]), pieces.passes, 40.0)[0]
    peaks = [height[labels == k].max() for k in (1, 2)]
    across = np.minimum(height[:, 59], height[:, 60])[labels[:, 59] > 0].max()
    area = np.count_nonzero(labels)
    expected = [across / min(peaks), 0.946, 1.0, np.log(2), np.log(area / 1600)]
    assert found == pytest.approx(expected, abs=0.02)
    assert len(WEIGHTS) == 1 + len(found)


def test_halves_of_a_disc_are_joined_and_touching_discs_are_not():
    labels, height, bright = two_halves(1.0)
    joined = join_pieces(labels, height, bright, diameter=40, split=0.45)
    assert joined.max() == 1
    labels = np.where(disc(40, 40, 20), 1, np.where(disc(40, 80, 20), 2, 0)).astype(np.int32)
    depth = np.maximum(20 - np.minimum(np.hypot(Y - 40, X - 40), np.hypot(Y - 40, X - 80)), 0)
    apart = join_pieces(labels, depth.astype(np.float32), 0 * bright, diameter=40, split=0.45)
    assert apart.max() == 2


def test_a_step_in_brightness_parts_what_shape_would_join():
    mask = disc(40, 45, 20) | disc(40, 75, 20)
    labels = np.where(mask, np.where(X < 60, 1, 2), 0).astype(np.int32)
    height = np.where(mask, 20 - np.abs(Y - 40) / 2, 0).astype(np.float32)
    counts = []
    for step in (1.0, 3.0):
        bright = np.where(labels == 2, np.log(step), 0).astype(np.float32)
        counts.append(join_pieces(labels, height, bright, diameter=60, split=0.45).max())
    assert counts == [1, 2]


def test_an_ellipse_by_itself_is_one_nucleus_unless_a_half_is_twice_as_bright():
    counts = [join_pieces(*two_halves(s), diameter=20, split=0.45).max() for s in (1.0, 1.9, 3.0)]
    assert counts == [1, 1, 2]


@given(small_labels, st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_higher_split_never_joins_more_and_nothing_is_lost(labels, seed, one, two):
    rng = np.random.default_rng(seed)
    height = rng.random(labels.shape).astype(np.float32)
    bright = rng.normal(0, 1, labels.shape).astype(np.float32)
    counts = []
    for split in sorted((one, two)):
        joined = join_pieces(labels, height, bright, diameter=3, split=split)
        assert np.array_equal(joined > 0, labels > 0)
        for label in range(1, 5):
            assert len(np.unique(joined[labels == label])) <= 1
        counts.append(len(np.unique(joined[joined > 0])))
    assert counts[0] <= counts[1]


def test_split_of_zero_joins_all_that_touches_and_of_one_nothing():
    labels, height, bright = two_halves(50.0)
    assert join_pieces(labels, height, bright, diameter=1, split=0).max() == 1
    labels, height, bright = two_halves(1.0)
    assert join_pieces(labels, height, bright, diameter=1, split=1).max() == 2


def test_opening_takes_tails_and_leaves_touching_neighbours():
    labels = np.where(disc(40, 40, 16), 1, np.where(disc(40, 72, 16), 2, 0)).astype(np.int32)
    tail = labels.copy()
    tail[39:41, 88:110] = 2
    opened = smoothed(tail, 5)
    assert not opened[:, 92:].any()
    assert np.count_nonzero(opened != labels) < 0.05 * np.count_nonzero(labels)
    assert np.array_equal(smoothed(tail, 1), tail)


def test_outline_is_at_the_half_of_each_own_level():
    level = np.where(disc(40, 30, 12), 1.0, 0.0) + np.where(disc(40, 80, 12), 0.2, 0.0)
    level = (level + 0.02).astype(np.float32)
    wide = np.where(disc(40, 30, 20), 1, np.where(disc(40, 80, 20), 2, 0)).astype(np.int32)
    cut = outline(wide, level, 0.0)
    assert np.array_equal(cut == 1, disc(40, 30, 12))
    assert np.array_equal(cut == 2, disc(40, 80, 12))


def test_small_holes_belong_to_the_nucleus_around_them():
    labels = np.where(disc(40, 60, 20), 3, 0).astype(np.int32)
    spotted = np.where(disc(40, 60, 3), 0, labels).astype(np.int32)
    assert np.array_equal(without_holes(spotted, 50), labels)
    assert np.array_equal(without_holes(spotted, 10), spotted)


def slivers():
    """Four whole nuclei, a bright and a dim sliver at the edge, a small one inside."""
    labels = np.zeros(Y.shape, np.int32)
    whole = [disc(35, x, 13) for x in (15, 45, 75, 105)]
    cut = [disc(-8, 60, 13), disc(88, 60, 13), disc(65, 100, 5)]
    for label, mask in enumerate(whole + cut, start=1):
        labels[mask] = label
    return labels, np.array([0, 1, 1, 1, 1, 1, 0.3, 1], np.float32)[labels]


def test_bright_slivers_are_kept_where_debris_inside_is_not():
    labels, level = slivers()
    kept = drop_debris(labels, level, 0.2, diameter=28, slivers="keep")
    assert sorted(np.unique(labels[kept > 0])) == [1, 2, 3, 4, 5]


def test_slivers_are_dropped_on_demand():
    labels, level = slivers()
    kept = drop_debris(labels, level, 0.05, diameter=28, slivers="drop")
    assert sorted(np.unique(labels[kept > 0])) == [1, 2, 3, 4, 7]


def test_out_of_focus_and_rags_are_dropped():
    labels, _ = slivers()
    labels[70:73, :50] = 8
    labels[50:70, 5:8] = 8
    # A crescent: faint as it is, no nucleus; as bright as the others, one.
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    crescent = (np.hypot(y - 85, x - 85) < 12) & (np.hypot(y - 80, x - 80) >= 10)
    labels[crescent & (labels == 0)] = 9
    light = np.array([0, 1, 1, 1, 1, 1, 0.1, 1, 1, 0.1], np.float32)
    kept = drop_out_of_focus(labels, light[labels])
    assert sorted(np.unique(labels[kept > 0])) == [1, 2, 3, 4, 5, 6, 7]
    assert areas(kept, 8)[1:].min() > 0
    light[9] = 1
    assert 9 in labels[drop_out_of_focus(labels, light[labels]) > 0]


def test_one_nucleus_of_many_that_outshines_the_others_does_not_drop_them():
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for number in range(16):
        down, across = (12 + 24 * place for place in divmod(number, 4))
        labels[np.hypot(y - down, 1.2 * (x - across)) < 9] = number + 1
    for brighter in (1, 12, 50):
        level = np.where(labels == 6, brighter, 1.0).astype(np.float32)
        assert drop_out_of_focus(labels, level).max() == 16


def test_no_nuclei_stay_none():
    none, level = np.zeros((5, 6), np.int32), np.ones((5, 6), np.float32)
    for result in (
        join_pieces(none, level, level, diameter=3, split=0.45),
        outline(none, level, 0.1),
        without_holes(none, 5),
        drop_debris(none, level, 0.2, diameter=3, slivers="keep"),
        drop_out_of_focus(none, level),
        smoothed(none, 3),
    ):
        assert not result.any()


def test_scattered_light_around_a_bright_nucleus_is_left_out_and_a_dim_round_neighbour_stays():
    y, x = np.mgrid[:80, :160]
    level = np.zeros((80, 160), np.float32)
    labels = np.zeros((80, 160), np.int32)
    bright = np.hypot(y - 40, x - 40) < 12
    beside = np.hypot(y - 40, x - 63) < 12
    # A crescent of cytoplasm, brighter than the ground and far from round.
    around = (np.hypot(y - 40, x - 36) < 20) & (x < 36) & ~bright
    for number, (inside, height) in enumerate(
        ((bright, 1.0), (beside, 0.3), (around, 0.3)), start=1
    ):
        labels[inside & (labels == 0)] = number
        level[inside & (level == 0)] = height
    labels[np.hypot(y - 40, x - 120) < 12] = 4
    level[labels == 4] = 1.0
    kept = drop_out_of_focus(labels, level)
    assert kept.max() == 3
    assert kept[40, 40] > 0
    assert kept[40, 63] > 0
    assert not kept[(labels == 3)].any()
