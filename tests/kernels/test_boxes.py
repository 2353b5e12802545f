"""Boxes: one pass over a label image gives what a loop over cells would give."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.errors import InputError
from cellwise.kernels.boxes import find_boxes


def slowly(labels):
    rows = []
    for number in sorted({int(v) for v in labels.ravel()} - {0}):
        y, x = np.nonzero(labels == number)
        rows.append(
            (number, y.min(), x.min(), y.max() + 1, x.max() + 1, len(y), y.mean(), x.mean())
        )
    return rows


def assert_as_slow(labels):
    found = find_boxes(labels)
    expected = slowly(labels)
    assert len(found) == len(expected)
    columns = (found.ids, found.y0, found.x0, found.y1, found.x1, found.area, found.y, found.x)
    for row, truth in zip(zip(*columns, strict=True), expected, strict=True):
        assert row == pytest.approx(truth)
    height, width = labels.shape
    touches = [r[1] == 0 or r[2] == 0 or r[3] == height or r[4] == width for r in expected]
    assert found.touches_border.tolist() == touches


def test_two_cells_by_hand():
    labels = np.zeros((6, 10), np.uint16)
    labels[2:4, 3:7] = 5
    labels[0, 9] = 2
    found = find_boxes(labels)
    assert found.ids.tolist() == [2, 5]
    assert (found.y0[1], found.x0[1], found.y1[1], found.x1[1]) == (2, 3, 4, 7)
    assert found.area.tolist() == [1, 8]
    assert (found.y[1], found.x[1]) == (2.5, 4.5)
    assert found.touches_border.tolist() == [True, False]


def test_a_box_holds_the_last_row_and_column_of_its_cell():
    labels = np.zeros((5, 5), np.uint16)
    labels[1:4, 1:4] = 1
    found = find_boxes(labels)
    inside = labels[found.y0[0] : found.y1[0], found.x0[0] : found.x1[0]]
    assert (inside == 1).sum() == (labels == 1).sum()


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.uint32, np.int32, np.int64]),
        st.tuples(st.integers(1, 12), st.integers(1, 80)),
        elements=st.integers(0, 4),
    )
)
def test_as_a_loop_over_cells_says(labels):
    assert_as_slow(labels)


def test_three_hundred_cells_keep_their_numbers():
    labels = np.zeros((60, 200), np.uint16)
    labels[::3, ::10] = np.arange(1, 401).reshape(20, 20)
    assert find_boxes(labels).ids.tolist() == list(range(1, 401))


def test_more_than_65535_cells():
    labels = np.arange(70_000, dtype=np.uint32).reshape(100, 700)
    found = find_boxes(labels)
    assert len(found) == 69_999
    assert (found.area == 1).all()
    assert found.ids[-1] == 69_999


def test_huge_numbers_with_gaps_take_little_memory():
    labels = np.zeros((40, 50), np.uint32)
    labels[3:9, 4:20] = 4_000_000_000
    labels[20:30, 30:50] = 7
    assert_as_slow(labels)


def test_no_cells_give_empty_arrays():
    found = find_boxes(np.zeros((7, 9), np.uint16))
    assert len(found) == 0
    assert found.ids.shape == found.y.shape == found.touches_border.shape == (0,)


def test_an_empty_frame_has_no_cells():
    assert len(find_boxes(np.zeros((0, 9), np.uint16))) == 0


def test_views_need_no_order():
    labels = np.random.default_rng(0).integers(0, 5, (40, 66)).astype(np.uint16)
    assert_as_slow(labels.T)
    assert_as_slow(labels[::2, 1::3])
    assert_as_slow(labels.astype(">u2"))


def test_a_mask_of_truth_values_is_one_cell():
    assert find_boxes(np.ones((3, 4), bool)).area.tolist() == [12]


def test_turning_the_frame_turns_the_boxes():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 9, (30, 70)).astype(np.uint16)
    found, turned = find_boxes(labels), find_boxes(labels.T)
    assert found.y0.tolist() == turned.x0.tolist()
    assert found.y == pytest.approx(turned.x)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2)), -np.eye(2, dtype=int)]
)
def test_what_is_no_label_image_is_refused(wrong):
    with pytest.raises(InputError) as error:
        find_boxes(wrong)
    assert error.value.code == "mask_type"


def test_numbers_beyond_signed_64_bits_are_refused_and_those_below_kept():
    labels = np.zeros((3, 4), np.uint64)
    labels[1, 1:3] = 2**63 - 1
    assert find_boxes(labels).ids.tolist() == [2**63 - 1]
    labels[2, 0] = 2**63
    with pytest.raises(InputError, match=str(2**63)) as error:
        find_boxes(labels)
    assert error.value.code == "mask_type"


def test_selection_keeps_all_columns_together():
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    found = find_boxes(labels)
    some = found.select(found.ids > 8)
    assert some.ids.tolist() == [9, 10, 11]
    assert some.x.tolist() == [1, 2, 3]


def test_one_high_number_in_a_small_image_takes_little_memory():
    labels = np.zeros((100, 100), np.uint32)
    labels[3:9, 4:20], labels[50:60, 2:5] = 4_000_000, 7
    assert_as_slow(labels)
    tracemalloc.start()
    try:
        find_boxes(labels)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4_000_000
