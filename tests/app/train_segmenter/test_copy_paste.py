"""Crowds: light adds up, the brighter nucleus keeps its pixels, what is hidden is not asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.masked_images import discs

from cellwise.app.train_segmenter.copy_paste import Pasting, Regions, draw_pasting, paste_over
from cellwise.app.train_segmenter.targets import deepest_points, depth

ALL = Pasting(1.0, 1.0, 1.0, 0.0)


def square(y, x, half, bright, side=64):
    labels = np.zeros((side, side), np.int32)
    labels[y - half : y + half, x - half : x + half] = 1
    return layer_of(labels, bright)


def layer_of(labels, bright=1.0):
    level = (labels > 0).astype(np.float32) * np.float32(bright)
    return level, Regions(labels, deepest_points(labels))


def pasted(below, above, pasting=ALL, seed=0):
    return paste_over(below, above, pasting, np.random.default_rng(seed))


def test_a_brighter_nucleus_takes_the_pixels_and_the_other_keeps_what_is_left():
    level, crowd, unknown = pasted(square(30, 26, 10, 1.0), square(30, 38, 10, 2.0))
    assert crowd.labels[30, 32] == 2
    assert crowd.labels[30, 20] == 1
    assert not unknown.any()
    assert level[30, 32] == pytest.approx(3.0, abs=0.05)
    # Its depth is that of what is left in view.
    seen = depth(crowd.labels)[crowd.labels == 1].max()
    assert crowd.deepest[1] == pytest.approx(seen)
    assert crowd.deepest[1] < crowd.deepest[2]


def test_a_dimmer_nucleus_hides_behind_the_other():
    _level, crowd, unknown = pasted(square(30, 26, 10, 2.0), square(30, 38, 10, 1.0))
    assert crowd.labels[30, 32] == 1
    assert crowd.labels[30, 44] == 2
    assert not unknown.any()


def test_between_a_bright_and_a_dim_neighbour_each_is_judged_by_itself():
    old = square(30, 20, 8, 3.0)[1].labels + 2 * square(30, 44, 8, 0.5)[1].labels
    level = np.array([0, 3.0, 0.5], np.float32)[old]
    below = level, Regions(old, deepest_points(old))
    _, crowd, _ = pasted(below, square(30, 32, 8, 1.0))
    assert crowd.labels[30, 26] == 1
    assert crowd.labels[30, 38] == 3


def test_nothing_is_asked_of_what_little_is_left():
    _level, crowd, unknown = pasted(square(30, 30, 10, 1.0), square(30, 32, 10, 3.0))
    assert (crowd.labels == 1).sum() == 0
    np.testing.assert_array_equal(unknown[20:40, 20:22], True)
    assert unknown.sum() == 40


def test_a_blurred_crowd_is_light_and_no_nuclei():
    below = square(30, 26, 10, 1.0)
    level, crowd, unknown = pasted(below, square(30, 50, 8, 2.0), Pasting(1.0, 1.0, 1.0, 6.0))
    np.testing.assert_array_equal(crowd.labels, below[1].labels)
    assert level.sum() > below[0].sum() + 100
    assert not unknown.any()


@given(st.integers(0, 10_000))
def test_light_only_grows_and_every_label_is_known(seed):
    rng = np.random.default_rng(seed)
    below, above = (
        layer_of(discs(int(rng.integers(99)), side=96, count=6).astype(np.int32), rng.uniform(0, 3))
        for _ in range(2)
    )
    level, crowd, unknown = paste_over(below, above, draw_pasting(rng), rng)
    assert (level >= below[0]).all()
    assert crowd.labels.max() < len(crowd.deepest)
    assert (crowd.deepest[np.unique(crowd.labels[crowd.labels > 0])] > 0).all()
    assert not crowd.labels[unknown].any()
    # What is labelled was labelled in one of the two at the same place.
    assert ((below[1].labels > 0) | (above[1].labels > 0))[crowd.labels > 0].all()
