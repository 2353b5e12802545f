"""Bright patches: as scikit-image counts and measures them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

from cellwise.kernels.features.patches import (
    count_bright,
    measure_patches,
    otsu_threshold,
    signal_of,
)

SIDE = 24


def world(seed):
    rng = np.random.default_rng(seed)
    bright = rng.random((SIDE, SIDE)).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[2:-2, 2:-2] = rng.random((SIDE - 4, SIDE - 4)) < 0.8
    mask[5, 5] = True
    signal = rng.random((SIDE, SIDE)).astype(np.float32)
    away = rng.normal(0, 5, (SIDE, SIDE)).astype(np.float32)
    return bright, signal, away, mask


def at_of(mask):
    return np.flatnonzero(mask).astype(np.int32)


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.3, 0.97))
@settings(max_examples=30, deadline=None)
def test_patches_are_those_of_scikit_image(seed, threshold):
    bright, signal, away, mask = world(seed)
    found = measure_patches(bright, signal, away, at_of(mask), threshold)
    lit = (bright > np.float32(threshold)) & mask
    regions = regionprops(label(lit, connectivity=2), signal)
    areas = np.array([r.area for r in regions])
    masses = np.sort([r.intensity_mean * r.area for r in regions])[::-1]
    if not regions:
        np.testing.assert_array_equal(found, [0] * 7 + [np.nan, np.nan, 0, np.nan])
        return
    wanted = [
        len(regions), lit.sum() / mask.sum(), signal[lit].sum() / signal[mask].sum(), areas.mean(),
        areas.max(), masses[0] / masses.sum(), masses[:3].sum() / masses.sum(),
        np.average(away[lit], weights=signal[lit]),
    ]  # fmt: skip
    np.testing.assert_allclose(found[:8], wanted, rtol=1e-4, atol=1e-5)
    spread = np.average((away[lit] - wanted[7]) ** 2, weights=signal[lit])
    np.testing.assert_allclose(found[8], np.sqrt(spread), rtol=1e-3, atol=1e-2)
    assert found[9] == (areas >= 4).sum()
    assert 0 <= found[10] <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 3), (1, 7), (7, 1), (4, 2)])
def test_roundness_is_short_over_long_axis_of_a_rectangle(height, width):
    bright = np.zeros((SIDE, SIDE), np.float32)
    bright[8 : 8 + height, 9 : 9 + width] = 1
    mask = np.ones((SIDE, SIDE), bool)
    mask[[0, -1]] = mask[:, [0, -1]] = False
    found = measure_patches(bright, bright, bright, at_of(mask), 0.5)
    assert found[10] == pytest.approx(min(height, width) / max(height, width))


def test_patches_touch_by_corners_and_end_at_the_mask():
    bright = np.zeros((SIDE, SIDE), np.float32)
    bright[4, 4] = bright[5, 5] = bright[5, 6] = bright[5, 8] = 1
    mask = np.zeros((SIDE, SIDE), bool)
    mask[3:9, 3:9] = True
    assert measure_patches(bright, bright, bright, at_of(mask), 0.5)[0] == 2
    bright[5, 7] = 1
    assert measure_patches(bright, bright, bright, at_of(mask), 0.5)[0] == 1
    mask[5, 7] = False
    assert measure_patches(bright, bright, bright, at_of(mask), 0.5)[0] == 2


@given(seed=st.integers(0, 10_000), apart=st.floats(0.2, 0.6))
@settings(max_examples=20, deadline=None)
def test_the_threshold_is_otsus(seed, apart):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(900) < 0.3, 0.3 + apart, 0.3) + rng.normal(0, 0.05, 900)
    image = np.clip(values, 0, 1).astype(np.float32).reshape(30, 30)
    at = np.arange(900, dtype=np.int32)
    threshold, difference = otsu_threshold(image, at, float(image.max()))
    above = image > threshold
    assert difference == pytest.approx(image[above].mean() - image[~above].mean(), rel=0.02)
    peer = image > threshold_otsu(image)
    assert (above != peer).mean() < 0.02


def test_a_flat_or_dark_image_has_a_threshold_that_parts_nothing():
    at = np.arange(25, dtype=np.int32)
    for level in (0.0, 0.4):
        flat = np.full((5, 5), level, np.float32)
        threshold, difference = otsu_threshold(flat, at, level)
        assert np.isfinite(threshold)
        assert difference == 0


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.1, 0.9), nucleus=st.booleans())
@settings(max_examples=15, deadline=None)
def test_bright_pixels_are_counted_by_where_they_lie(seed, threshold, nucleus):
    bright, _, away, mask = world(seed)
    if not nucleus:
        away[:] = np.nan
    at = at_of(mask)
    first = len(at) // 3 if nucleus else 0
    lit = bright.ravel()[at] > np.float32(threshold)
    near = np.abs(away.ravel()[at]) <= 2
    wanted = (lit.sum(), lit[:first].sum(), (lit & near).sum())
    assert count_bright(bright, away, at, first, threshold) == wanted


def test_a_sum_that_is_known_gives_the_same_patches():
    rng = np.random.default_rng(3)
    signal, bright = rng.random((2, 12, 12)).astype(np.float32)
    mask = np.zeros((12, 12), bool)
    mask[2:10, 2:10] = True
    at = at_of(mask)
    total = signal_of(signal, at)
    assert total == pytest.approx(signal[mask].sum(), rel=1e-5)
    np.testing.assert_array_equal(
        measure_patches(bright, signal, signal, at, 0.7),
        measure_patches(bright, signal, signal, at, 0.7, total),
    )
    half = measure_patches(bright, signal, signal, at, 0.7, total / 2)
    assert half[2] == pytest.approx(2 * measure_patches(bright, signal, signal, at, 0.7)[2])
