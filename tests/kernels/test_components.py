"""Connected components, beside scipy's, one label after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from cellwise.kernels.components import (
    claim_components,
    count_pixels,
    drop_small,
    fill_enclosed,
    fill_small_holes,
    keep_largest,
    label_components,
)
from cellwise.kernels.flood import flood

labels_of_few = hnp.arrays(np.int32, (9, 11), elements=st.integers(0, 3))
masks = hnp.arrays(np.uint8, (9, 11), elements=st.integers(0, 1))
MANY = settings(max_examples=60, deadline=None)


def slow_components(labels, least):
    found = []
    for value in np.unique(labels[labels > 0]):
        components, count = ndimage.label(labels == value)
        found += [components == k for k in range(1, count + 1) if (components == k).sum() >= least]
    found.sort(key=lambda piece: int(np.flatnonzero(piece)[0]))
    result = np.zeros(labels.shape, int)
    for number, piece in enumerate(found, start=1):
        result[piece] = number
    return result


@given(labels_of_few, st.sampled_from([0, 1, 2, 4.5]))
@MANY
def test_components_of_equal_label_are_numbered_in_order(labels, least):
    assert np.array_equal(label_components(labels, least), slow_components(labels, least))
    mask = (labels > 1).astype(np.uint8)
    assert np.array_equal(label_components(mask, least), slow_components(mask, least))


def test_a_spiral_is_one_piece():
    image = np.array(
        [
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 1],
            [1, 1, 1, 0, 1],
            [1, 0, 0, 0, 1],
            [1, 1, 1, 1, 1],
        ],
        np.uint8,
    )
    assert np.array_equal(label_components(image), image)


@given(labels_of_few, st.integers(0, 20))
@MANY
def test_small_labels_go_and_numbers_stay(labels, least):
    area = np.bincount(labels.ravel(), minlength=4)
    assert np.array_equal(drop_small(labels, least), np.where(area[labels] >= least, labels, 0))


@given(masks, st.sampled_from([0, 1, 2, 3, 7.5]))
@MANY
def test_small_holes_close_also_at_the_edge(mask, area):
    holes, count = ndimage.label(mask == 0)
    expected = mask.copy()
    for k in range(1, count + 1):
        if (holes == k).sum() < area:
            expected[holes == k] = 1
    assert np.array_equal(fill_small_holes(mask, area), expected)


def slow_enclosed(labels):
    framed = np.pad(labels, 1, constant_values=-1)
    holes, count = ndimage.label(framed == 0)
    result = framed.copy()
    for k in range(1, count + 1):
        around = np.unique(framed[ndimage.binary_dilation(holes == k) & (holes != k)])
        if len(around) == 1 and around[0] > 0:
            result[holes == k] = around[0]
    return result[1:-1, 1:-1]


@given(labels_of_few)
@MANY
def test_holes_inside_one_label_close(labels):
    assert np.array_equal(fill_enclosed(labels), slow_enclosed(labels))


@given(st.integers(0, 10_000))
@MANY
def test_claiming_equals_flooding(seed):
    rng = np.random.default_rng(seed)
    height = rng.integers(0, 5, (14, 17)).astype(np.uint8)
    mask = (rng.random(height.shape) < 0.6).astype(np.uint8)
    markers = ((rng.random(height.shape) < 0.08) * rng.integers(1, 6, height.shape)).astype(
        np.int32
    )
    expected = flood(height, markers, mask)
    assert np.array_equal(claim_components(height, markers, mask), expected)
    assert np.array_equal(claim_components(height, markers, mask, out=markers), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_results_may_go_where_the_image_was(kind):
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 4, (8, 8)), np.ones((3, 3))).astype(kind)
    expected = label_components(image, 10)
    if kind is np.int32:
        assert np.array_equal(label_components(image, 10, out=image), expected)
    filled = fill_enclosed(expected)
    assert np.array_equal(fill_enclosed(expected, out=expected), filled)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
@pytest.mark.parametrize("value", [0, 1])
def test_thin_and_even_images(shape, value):
    image = np.full(shape, value, np.int32)
    assert np.array_equal(label_components(image), image)
    assert np.array_equal(fill_enclosed(image), image)
    assert np.array_equal(drop_small(image, 1), image)
    filled = fill_small_holes(image.astype(np.uint8), 100)
    assert (filled == 1).all()


@given(labels_of_few)
@MANY
def test_of_each_label_the_largest_component_stays_and_of_equal_ones_the_first(labels):
    pieces = label_components(labels)
    expected = np.zeros_like(labels)
    for value in np.unique(labels[labels > 0]):
        own = np.unique(pieces[labels == value])
        best = max(own, key=lambda piece: ((pieces == piece).sum(), -piece))
        expected[pieces == best] = value
    assert np.array_equal(keep_largest(labels), expected)


@given(labels_of_few, st.integers(0, 6))
@MANY
def test_pixels_are_counted_per_label(labels, count):
    expected = np.bincount(labels.ravel(), minlength=count)
    assert np.array_equal(count_pixels(labels, count), expected)
