"""Holes, crops and brightness: how large, how often, and what is left alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations


def rngs(seed, count):
    return [np.random.default_rng((seed, item)) for item in range(count)]


def white(count, side=32):
    return torch.ones(count, 2, side, side)


@pytest.mark.parametrize(
    "name", ["cutout", "coarse_holes", "random_crop", "brightness", "affine", "gain"]
)
def test_chance_is_the_share_of_images(name):
    batch = torch.rand(600, 1, 12, 12) + 0.1
    changed = augmentations.build({"name": name, "chance": 0.25})(batch, rngs(0, 600))
    share = (changed != batch).flatten(1).any(1).float().mean().item()
    # Four standard errors of 600 draws; a hole may be of no size.
    assert 0.15 < share < 0.25 + 4 * np.sqrt(0.25 * 0.75 / 600)
    never = augmentations.build({"name": name, "chance": 0.0})(batch, rngs(0, 600))
    torch.testing.assert_close(never, batch)


@settings(max_examples=20)
@given(seed=st.integers(0, 999), largest=st.floats(0.05, 1))
def test_a_hole_is_one_rectangle_through_all_channels(seed, largest):
    spec = {"name": "cutout", "largest": largest, "chance": 1.0}
    blank = (augmentations.build(spec)(white(1, 20), rngs(seed, 1)) == 0)[0]
    assert torch.equal(blank[0], blank[1])
    rows, columns = blank[0].any(1).sum(), blank[0].any(0).sum()
    assert int(blank[0].sum()) == int(rows * columns)
    assert max(rows, columns) <= np.floor(largest * 21)


def test_holes_reach_every_size_and_corner():
    spec = {"name": "cutout", "largest": 0.7, "chance": 1.0}
    blank = (augmentations.build(spec)(white(3000, 10), rngs(0, 3000)) == 0)[:, 0]
    heights = blank.any(2).sum(1)
    assert set(heights.tolist()) == set(range(8))
    for corner in ((0, 0), (0, 9), (9, 0), (9, 9)):
        assert blank[:, corner[0], corner[1]].any()


def test_coarse_holes_are_squares_of_a_sixteenth():
    spec = {"name": "coarse_holes", "holes": 1, "chance": 1.0}
    blank = (augmentations.build(spec)(white(8), rngs(0, 8)) == 0).flatten(1).sum(1)
    assert set(blank.tolist()) == {2 * 2 * 2}


def test_a_crop_of_the_whole_is_the_image():
    batch = torch.rand(3, 2, 15, 15)
    same = augmentations.build({"name": "random_crop", "least": 1.0})(batch, rngs(0, 3))
    torch.testing.assert_close(same, batch, rtol=1e-4, atol=1e-5)


def test_a_crop_magnifies_a_ramp_by_no_more_than_asked():
    ramp = torch.arange(64.0)[None, None, None, :].expand(40, 1, 64, 64)
    seen = augmentations.build({"name": "random_crop", "least": 0.5})(ramp, rngs(0, 40))
    # The slope away from the edges is the size of the square over that of the image.
    slopes = (seen[:, 0, 32, 44] - seen[:, 0, 32, 20]) / 24
    assert slopes.min() >= 0.5 - 0.01
    assert slopes.max() <= 1.01
    assert slopes.std() > 0.05


@given(seed=st.integers(0, 99))
def test_brightness_is_one_factor_for_all_channels_and_blank_stays_blank(seed):
    batch = torch.rand(1, 3, 8, 8) + 0.1
    batch[:, :, :2] = 0
    changed = augmentations.build({"name": "brightness", "offset": 0.0})(batch, rngs(seed, 1))
    factors = changed[:, :, 2:] / batch[:, :, 2:]
    torch.testing.assert_close(factors, factors.mean().expand_as(factors), rtol=1e-4, atol=1e-5)
    assert np.exp(-0.2) - 1e-4 <= factors.mean() <= np.exp(0.2) + 1e-4
    lifted = augmentations.build({"name": "brightness", "offset": 0.3})(batch, rngs(seed, 1))
    assert (lifted[:, :, :2] == 0).all()
    assert (lifted >= 0).all()


def test_what_comes_in_from_outside_can_be_black():
    spec = {"name": "affine", "shift": 0.2, "outside": "zero"}
    assert (augmentations.build(spec)(white(8), rngs(0, 8)) == 0).any()


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "cutout", "largest": 0.0},
        {"name": "cutout", "chance": 1.2},
        {"name": "coarse_holes", "holes": 0},
        {"name": "random_crop", "least": 0.0},
        {"name": "brightness", "contrast": -1.0},
        {"name": "affine", "outside": "white"},
        {"name": "affine", "chance": -0.1},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(spec):
    with pytest.raises(BadOption):
        augmentations.build(spec)


@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_a_crop_can_come_out_at_another_size(seed):
    ramp = torch.arange(48.0).repeat(3, 1, 48, 1)
    spec = {"name": "random_crop", "least": 2 / 3, "side": 32}
    found = augmentations.build(spec)(ramp, rngs(seed, 3))
    assert found.shape == (3, 1, 32, 32)
    # Squares of 32 to 48 pixels on 32: as they are, or smaller, never magnified.
    steps = found.diff(dim=3)[:, 0, :, 4:-4].mean((1, 2))
    assert (steps > 0.99).all()
    assert (steps < 1.51).all()
