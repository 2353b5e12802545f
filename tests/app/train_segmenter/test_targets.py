"""Targets against their definition, pixel by pixel."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.app.train_segmenter.targets import contacts, deepest_points, depth, target_maps

LABELS = arrays(np.int32, (9, 11), elements=st.integers(0, 3))


def slow_contacts(labels):
    height, width = labels.shape
    found = np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                v, u = y + dy, x + dx
                if 0 <= v < height and 0 <= u < width and labels[y, x] and labels[v, u]:
                    found[y, x] |= labels[y, x] != labels[v, u]
    return found


def slow_depth(labels):
    ends = np.argwhere((labels == 0) | slow_contacts(labels))
    result = np.zeros(labels.shape)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            result[y, x] = np.hypot(*(ends - (y, x)).T).min()
    return result


@given(LABELS)
def test_depth_and_contacts_are_what_they_say(labels):
    labels[0, 0] = 0
    np.testing.assert_array_equal(contacts(labels), slow_contacts(labels))
    np.testing.assert_allclose(depth(labels), slow_depth(labels), atol=1e-4)


@given(LABELS)
def test_maps_lie_in_0_to_1_and_only_in_regions(labels):
    maps = target_maps(labels, deepest_points(labels))
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert not maps[:, labels == 0].any()
    np.testing.assert_array_equal(maps[0] > 0, labels > 0)


def test_each_region_has_one_hill_of_height_1_whatever_its_size():
    labels = np.zeros((40, 60), np.int32)
    labels[2:9, 2:9] = 1
    labels[10:39, 20:49] = 2
    maps = target_maps(labels, deepest_points(labels))
    assert maps[2][labels == 1].max() == 1
    assert maps[2][labels == 2].max() == 1
    assert maps[2, 5, 5] == 1
    assert maps[1, 5, 5] == 0
    assert maps[1, 2, 5] == 1


def test_a_region_that_fills_the_image_has_no_end():
    labels = np.ones((8, 8), np.int32)
    np.testing.assert_array_equal(target_maps(labels, deepest_points(labels))[2], 1)
    assert not target_maps(labels, deepest_points(labels))[1].any()


def test_the_frame_is_no_end():
    labels = np.zeros((20, 20), np.int32)
    labels[:, :10] = 1
    assert depth(labels)[10, 0] == 10
