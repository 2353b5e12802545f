"""Matching: overlaps as a slow loop counts them, one partner each, the threshold included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import InputError
from cellwise.kernels.matching import f1_at, find_overlaps, match

SMALL = arrays(np.uint16, (9, 11), elements=st.integers(0, 4))


def slow_table(predicted, true):
    ours = sorted(set(predicted.ravel().tolist()) - {0})
    theirs = sorted(set(true.ravel().tolist()) - {0})
    table = np.zeros((len(ours), len(theirs)))
    for i, a in enumerate(ours):
        for j, b in enumerate(theirs):
            inside, other = predicted == a, true == b
            table[i, j] = (inside & other).sum() / (inside | other).sum()
    return table


def test_half_a_square_by_hand():
    true, predicted = np.zeros((10, 10), np.uint16), np.zeros((10, 10), np.uint16)
    true[2:6, 2:6] = 7
    predicted[2:6, 4:6] = 3
    overlaps = find_overlaps(predicted, true)
    assert overlaps.iou.tolist() == [0.5]
    assert match(overlaps, 0.5).tolist() == [[0, 0]]
    assert match(overlaps, 0.501).tolist() == []


@settings(max_examples=60, deadline=None)
@given(SMALL, SMALL)
def test_overlaps_as_a_slow_loop_says(predicted, true):
    np.testing.assert_allclose(find_overlaps(predicted, true).table(), slow_table(predicted, true))


@settings(max_examples=60, deadline=None)
@given(SMALL, SMALL, st.floats(0.05, 1))
def test_every_match_is_one_to_one_and_none_is_left_over(predicted, true, threshold):
    overlaps = find_overlaps(predicted, true)
    pairs = match(overlaps, threshold)
    table = overlaps.table()
    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
    assert all(table[i, j] >= threshold for i, j in pairs)
    rest = np.delete(np.delete(table, pairs[:, 0], axis=0), pairs[:, 1], axis=1)
    assert not (rest >= threshold).any()


@settings(max_examples=40, deadline=None)
@given(SMALL, SMALL)
def test_f1_falls_with_the_threshold_and_is_symmetric(predicted, true):
    thresholds = (0.3, 0.5, 0.7, 0.9)
    forth = f1_at(predicted, true, thresholds=thresholds, ignore_below=0)
    back = f1_at(true, predicted, thresholds=thresholds, ignore_below=0)
    assert [f.f1 for f in forth] == pytest.approx([f.f1 for f in back])
    assert [f.hits for f in forth] == sorted((f.hits for f in forth), reverse=True)


def test_a_copy_is_perfect_whatever_the_numbers():
    labels = np.zeros((20, 30), np.uint32)
    labels[2:8, 2:9] = 70_000
    labels[10:18, 12:25] = 4_000_000_000
    renamed = np.select([labels == 70_000, labels > 70_000], [2, 1]).astype(np.uint16)
    assert [f.f1 for f in f1_at(renamed, labels, thresholds=(0.5, 1.0))] == [1, 1]


def test_debris_counts_neither_way():
    true = np.zeros((50, 50), np.uint16)
    true[0:20, 0:20], true[25:45, 25:45], true[48, 48] = 1, 2, 3
    predicted = true.copy()
    predicted[48, 48], predicted[0, 49] = 0, 9
    plain = f1_at(predicted, true, ignore_below=0)[0]
    assert (plain.hits, plain.false, plain.missed) == (2, 1, 1)
    fair = f1_at(predicted, true)[0]
    assert (fair.hits, fair.false, fair.missed) == (2, 0, 0)


def test_nothing_to_find_and_nothing_found_is_perfect():
    empty = np.zeros((5, 5), np.uint16)
    assert f1_at(empty, empty)[0].f1 == 1
    full = np.ones((5, 5), np.uint16)
    assert f1_at(full, empty)[0].f1 == f1_at(empty, full)[0].f1 == 0


def test_the_better_partner_wins():
    true = np.zeros((1, 12), np.uint16)
    true[0, 0:10] = 1
    predicted = np.zeros((1, 12), np.uint16)
    predicted[0, 0:4], predicted[0, 4:10] = 1, 2
    assert match(find_overlaps(predicted, true), 0.3).tolist() == [[1, 0]]


def test_images_of_unequal_size_are_refused():
    with pytest.raises(InputError) as error:
        find_overlaps(np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8))
    assert error.value.code == "size_mismatch"
