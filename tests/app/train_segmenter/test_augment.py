"""Examples: what is done to pixels is done to labels, and all follows from the generator."""

import numpy as np
import pytest
from tests.masked_images import discs, lit

from cellwise.app.train_segmenter.augment import SIDE, draw_example, relight, with_background
from cellwise.app.train_segmenter.data import Annotated, prepare
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field


def image_of(labels, plane, body=None, cells=None):
    channels = [Channel("dna", "nucleus")]
    planes = [plane / np.float32(255)]
    if body is not None:
        channels.append(Channel("er", "er"))
        planes.append(body / np.float32(255))
    field = Field("p", np.stack(planes).astype(np.float32), tuple(channels))
    return prepare(Annotated("p", "folder", "p", field, labels.astype(np.int32), cells))


def test_labels_follow_the_pixels():
    labels = discs(3, side=160, count=12)
    image = image_of(labels, lit(labels))
    agreements = []
    for seed in range(12):
        example = draw_example(image, np.random.default_rng(seed))
        asked = example.weights[0] > 0
        inside = (example.targets[0] > 0) & asked
        outside = (example.targets[0] == 0) & asked
        if inside.sum() > 50 and outside.sum() > 50:
            bright = example.planes[0] > np.median(example.planes[0][inside]) / 2
            agreements.append((bright[inside].mean() + (1 - bright[outside].mean())) / 2)
    assert len(agreements) > 6
    assert np.median(agreements) > 0.9


def test_an_example_has_the_shapes_of_the_network():
    labels = discs(1)
    example = draw_example(image_of(labels, lit(labels)), np.random.default_rng(0))
    assert example.planes.shape == (3, SIDE, SIDE)
    assert example.targets.shape == example.weights.shape == (6, SIDE, SIDE)
    assert example.planes.dtype == example.targets.dtype == example.weights.dtype == np.float32
    assert np.isfinite(example.planes).all()


def test_cells_do_not_count_where_nothing_shows_them():
    labels = discs(1)
    example = draw_example(image_of(labels, lit(labels)), np.random.default_rng(0))
    assert not example.weights[3:].any()
    assert not example.planes[2].any()


def test_cells_count_where_the_body_is_shown_and_only_there():
    labels = discs(1)
    image = image_of(labels, lit(labels), body=lit(labels), cells=labels.astype(np.int32))
    for seed in range(12):
        example = draw_example(image, np.random.default_rng(seed))
        assert example.weights[3:].any() == example.planes[2].any()


def test_beyond_the_frame_nothing_is_asked():
    labels = discs(1, side=40, count=2)
    example = draw_example(image_of(labels, lit(labels)), np.random.default_rng(0))
    assert (example.weights[0] == 0).any()


def test_the_same_generator_gives_the_same_example_and_another_another():
    labels = discs(2)
    image = image_of(labels, lit(labels))
    one, two, other = (draw_example(image, np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(one.planes, two.planes)
    np.testing.assert_array_equal(one.targets, two.targets)
    assert not np.array_equal(one.planes, other.planes)


@pytest.mark.parametrize("seed", range(20))
def test_light_never_makes_a_number_that_is_none(seed):
    labels = discs(0)
    level = np.random.default_rng(seed).normal(0, 2, labels.shape).astype(np.float32)
    relit = relight(level, labels.astype(np.int32), np.random.default_rng(seed))
    assert relit.dtype == np.float32
    assert np.isfinite(relit).all()


def test_another_image_lends_its_nuclei():
    few, many = discs(1, count=2), discs(2, count=20)
    image, other = image_of(few, lit(few)), image_of(many, lit(many))
    alone, crowded = (
        sum(
            draw_example(image, np.random.default_rng(s), with_).targets[0].sum() for s in range(30)
        )
        for with_ in (None, other)
    )
    assert crowded > 1.05 * alone


@pytest.mark.parametrize("seed", range(40))
def test_a_background_keeps_nuclei_brighter_than_the_ground(seed):
    labels = discs(0)
    level = lit(labels).astype(np.float32) / 255
    seen = with_background(level, labels.astype(np.int32), np.random.default_rng(seed))
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert np.median(seen[labels > 0]) > np.median(seen[labels == 0])


def test_what_is_pasted_lies_whole_in_its_own_image():
    # One nucleus, cut by every side of its image: nothing of it is ever pasted.
    whole = np.ones((40, 40), np.int32)
    cut = image_of(whole, np.pad(np.full((20, 20), 200.0), 10))
    image = image_of(discs(1, count=2), lit(discs(1, count=2)))
    for seed in range(20):
        alone = draw_example(image, np.random.default_rng(seed)).targets[0].sum()
        crowded = draw_example(image, np.random.default_rng(seed), cut).targets[0].sum()
        assert crowded == alone
