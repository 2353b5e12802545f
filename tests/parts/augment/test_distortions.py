"""Distortions, blurs and grids of holes against slow computations of their own."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.parts.augment import augmentations

WARPS = ("elastic", "grid_distortion", "optical_distortion")


def rngs(seed, count=1):
    return [np.random.default_rng((seed, item)) for item in range(count)]


def places(name, seed, height=40, width=60, **options):
    """Where each pixel comes from: the image is its own coordinates. `[y, x, (x, y)]`."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    both = torch.from_numpy(np.stack([columns, rows]))[None]
    found = augmentations.build({"name": name, **options})(both, rngs(seed))
    return found[0].permute(1, 2, 0).numpy(), np.stack([columns, rows], axis=2)


@pytest.mark.parametrize("name", WARPS)
def test_a_distortion_of_no_strength_is_the_image(name):
    off = {"elastic": {"alpha": 0.0, "corners": 0.0}}.get(name, {"most": 0.0})
    found, own = places(name, 0, **off)
    np.testing.assert_allclose(found, own, atol=1e-3)


@settings(max_examples=15)
@given(seed=st.integers(0, 999), name=st.sampled_from(WARPS))
def test_distorted_pixels_lie_between_those_of_the_image_and_channels_move_together(seed, name):
    batch = torch.rand(2, 1, 24, 24).repeat(1, 3, 1, 1)
    found = augmentations.build(name)(batch, rngs(seed, 2))
    assert found.shape == batch.shape
    assert found.min() >= batch.min() - 1e-5
    assert found.max() <= batch.max() + 1e-5
    torch.testing.assert_close(found[:, 0], found[:, 2])


@settings(max_examples=15)
@given(seed=st.integers(0, 999))
def test_corners_of_an_elastic_image_move_no_further_than_said(seed):
    found, own = places("elastic", seed, 60, 60, alpha=0.0, corners=6.0)
    # Without noise the move is one affine map, and the middle moves by the mean of two corners.
    inner = (slice(20, 40), slice(20, 40))
    rows = np.c_[own[inner].reshape(-1, 2), np.ones(400)]
    fitted, residue, _, _ = np.linalg.lstsq(rows, found[inner].reshape(-1, 2), rcond=None)
    assert np.abs(residue).max() < 0.01
    back = np.linalg.inv(fitted[:2].T)
    for corner in ([50, 50], [50, 10], [10, 10]):
        went = back @ (np.array(corner) - fitted[2])
        assert np.abs(went - corner).max() <= 6.05


def test_noise_of_an_elastic_image_is_the_smooth_noise_times_alpha():
    found, own = places("elastic", 3, 50, 50, alpha=400.0, sigma=6.0, corners=0.0)
    # The deviation of white noise of deviation 1/sqrt(3) under a bell of 6 pixels.
    expected = 400 / np.sqrt(3) / (2 * np.sqrt(np.pi) * 6)
    moved = (found - own)[12:-12, 12:-12]
    assert 0.4 * expected < moved.std() < 2.2 * expected
    assert np.abs(np.diff(moved, axis=0)).max() < 0.6 * np.abs(moved).max()


@settings(max_examples=15)
@given(seed=st.integers(0, 999))
def test_steps_of_a_grid_are_stretched_by_their_own_factor(seed):
    found, _ = places("grid_distortion", seed, 60, 60, steps=6, most=0.1)
    slopes = np.diff(found[30, :, 0])
    middle = [slopes[10 * step + 2 : 10 * step + 8] for step in range(5)]
    for step in middle:
        np.testing.assert_allclose(step, step.mean(), atol=1e-3)
        assert 0.899 <= step.mean() <= 1.101
    # Columns are moved alike in all rows.
    np.testing.assert_allclose(found[10, :50, 0], found[40, :50, 0], atol=1e-3)


@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_a_lens_agrees_with_the_one_of_opencv(seed):
    height = width = 64
    found, _ = places("optical_distortion", seed, height, width, most=0.05)
    strength = np.random.default_rng((seed, 0))
    strength.random()  # whether the image is changed
    k = strength.uniform(-0.05, 0.05)
    camera = np.array([[width, 0, (width - 1) / 2], [0, height, (height - 1) / 2], [0, 0, 1]])
    across, down = cv2.initUndistortRectifyMap(
        camera, np.array([k, k, 0, 0, 0]), None, camera, (width, height), cv2.CV_32FC1
    )
    inner = (slice(6, -6), slice(6, -6))
    np.testing.assert_allclose(found[..., 0][inner], across[inner], atol=5e-3)
    np.testing.assert_allclose(found[..., 1][inner], down[inner], atol=5e-3)


@settings(max_examples=15)
@given(seed=st.integers(0, 999))
def test_blurs_agree_with_opencv_within_the_frame(seed):
    plane = np.random.default_rng(seed).random((20, 26), np.float32)
    batch = torch.from_numpy(plane)[None, None]
    box = augmentations.build({"name": "blur", "how": "box", "chance": 1.0})(batch, rngs(seed))
    median = augmentations.build({"name": "blur", "how": "median", "chance": 1.0})
    np.testing.assert_allclose(box[0, 0], cv2.blur(plane, (3, 3)), atol=1e-5)
    inner = (slice(1, -1), slice(1, -1))
    expected = cv2.medianBlur(plane, 3)[inner]
    np.testing.assert_array_equal(median(batch, rngs(seed))[0, 0].numpy()[inner], expected)


@settings(max_examples=15)
@given(seed=st.integers(0, 999))
def test_motion_is_a_mean_along_one_line_of_at_least_two_pixels(seed):
    point = torch.zeros(1, 1, 21, 21)
    point[0, 0, 10, 10] = 1
    spec = {"name": "blur", "how": "motion", "size": 7, "chance": 1.0}
    trail = augmentations.build(spec)(point, rngs(seed))[0, 0]
    assert trail.sum() == pytest.approx(1.0, abs=1e-5)
    lit = trail[trail > 0]
    assert 2 <= len(lit) <= 7
    torch.testing.assert_close(lit, lit.mean().expand_as(lit))
    assert (trail[7:14, 7:14] > 0).sum() == len(lit)


def test_each_channel_is_blurred_by_a_draw_of_its_own():
    batch = torch.rand(300, 4, 8, 8)
    changed = augmentations.build({"name": "blur", "chance": 0.05})(batch, rngs(0, 300)) != batch
    share = changed.flatten(2).any(2).float()
    assert 0.025 < share.mean() < 0.08
    assert (share.sum(1) > 1).any()


@pytest.mark.parametrize("moved", [False, True])
def test_holes_of_a_grid_are_squares_at_equal_distances(moved):
    spec = {"name": "grid_dropout", "ratio": 0.25, "steps": 4, "chance": 1.0, "moved": moved}
    blank = augmentations.build(spec)(torch.ones(5, 2, 64, 64), rngs(0, 5)) == 0
    for item in blank[:, 0]:
        rows = item.any(1).nonzero()[:, 0]
        # Four squares of 4 of every 16 pixels, each way.
        assert int(item.sum()) == 16 * 16
        assert set(rows.diff().tolist()) == {1, 13}
    assert blank[:, :, 0, 0].all() == (not moved)


@settings(max_examples=25)
@given(side=st.integers(4, 60), hole=st.floats(0.05, 1.0), seed=st.integers(0, 99))
def test_holes_of_one_size_begin_half_before_their_place_and_end_at_the_edge(side, hole, seed):
    spec = {"name": "cutout", "hole": hole, "chance": 1.0}
    blank = augmentations.build(spec)(torch.ones(1, 1, side, side), rngs(seed))[0, 0] == 0
    size = int(hole * side)
    draws = np.random.default_rng((seed, 0))
    draws.random()
    expected = np.zeros((side, side), bool)
    top, left = (max(int(place) - size // 2, 0) for place in draws.integers(0, [side, side]))
    expected[top : min(top + size, side), left : min(left + size, side)] = True
    assert (blank.numpy() == expected).all()


def test_a_hole_of_seventy_percent_leaves_six_tenths_of_the_image():
    spec = {"name": "cutout", "hole": 0.7, "chance": 1.0}
    blank = augmentations.build(spec)(torch.ones(3000, 1, 20, 20), rngs(1, 3000)) == 0
    # By integration: (0.65 * 0.7 + 0.35 * 0.525)^2 = 0.408 of an image without pixels.
    assert blank.float().mean().item() == pytest.approx(0.408, abs=0.02)
    eight = {"name": "cutout", "hole": 1 / 16, "holes": 8, "chance": 1.0}
    few = augmentations.build(eight)(torch.ones(20, 1, 64, 64), rngs(2, 20)) == 0
    assert (few.flatten(1).sum(1) <= 8 * 16).all()
    assert (few.flatten(1).sum(1) > 4 * 16).any()


def test_factors_of_brightness_are_drawn_between_two_ends():
    spec = {"name": "gain", "least": 0.6, "most": 1.1}
    factors = augmentations.build(spec)(torch.ones(2000, 1, 1, 1), rngs(0, 2000)).flatten()
    assert factors.min() >= 0.6
    assert factors.max() <= 1.1
    assert factors.mean().item() == pytest.approx(0.85, abs=0.015)
    assert (factors < 0.7).float().mean().item() == pytest.approx(0.2, abs=0.04)


def test_a_zoom_is_a_factor_drawn_evenly():
    ramp = torch.arange(33.0)[None, None, None, :].expand(2000, 1, 33, 33).contiguous()
    spec = {"name": "affine", "rotate": 0.0, "shift": 0.0, "zoom": 0.2}
    seen = augmentations.build(spec)(ramp, rngs(0, 2000))
    factors = 8 / (seen[:, 0, 16, 20] - seen[:, 0, 16, 12])
    assert 0.8 <= factors.min() < 0.81
    assert 1.19 < factors.max() <= 1.2
    assert factors.mean().item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "cutout", "hole": 1.5},
        {"name": "cutout", "holes": 0},
        {"name": "gain", "least": 0.9, "most": 0.5},
        {"name": "affine", "zoom": 1.0},
        {"name": "elastic", "sigma": 0.0},
        {"name": "grid_distortion", "steps": 0},
        {"name": "optical_distortion", "most": -0.1},
        {"name": "blur", "size": 4},
        {"name": "blur", "how": "fog"},
        {"name": "grid_dropout", "ratio": 1.0},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(spec):
    with pytest.raises(BadOption):
        augmentations.build(spec)
