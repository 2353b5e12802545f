"""Rings and intensities: by hand, by a slow loop, and with faulty pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.rings import draw_rings, measure_intensities


def rings_of(cells, nuclei, near=0.1, far=0.5):
    return draw_rings(cells, nuclei, boxes=find_boxes(nuclei), near=near, far=far)


def slow_rings(cells, nuclei, near, far):
    rings = np.zeros(cells.shape, np.uint32)
    for number in sorted(set(nuclei.ravel().tolist()) - {0}):
        y, x = np.nonzero(nuclei == number)
        radius = np.sqrt(len(y) / np.pi)
        begin = max(1.0, near * radius)
        end = max(begin + 2, far * radius)
        for row, column in zip(*np.nonzero((cells == number) & (nuclei == 0)), strict=True):
            if begin < np.hypot(y - row, x - column).min() <= end:
                rings[row, column] = number
    return rings


def test_a_ring_around_one_pixel_by_hand():
    cells, nuclei = np.ones((9, 9), np.uint16), np.zeros((9, 9), np.uint16)
    nuclei[4, 4] = 1
    y, x = np.mgrid[:9, :9]
    away = np.hypot(y - 4, x - 4)
    np.testing.assert_array_equal(rings_of(cells, nuclei) == 1, (away > 1) & (away <= 3))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5), st.floats(0.6, 2))
def test_as_a_slow_loop_says(seed, near, far):
    rng = np.random.default_rng(seed)
    cells, nuclei = np.zeros((2, 24, 31), np.uint16)
    for number in (3, 8):
        y, x = rng.integers(0, 18), rng.integers(0, 24)
        cells[y : y + 14, x : x + 16] = number
        inner = (slice(y + 4, y + 9), slice(x + 4, x + 12))
        nuclei[inner] = number
    nuclei[cells != nuclei] = 0
    found = rings_of(cells, nuclei, near, far)
    np.testing.assert_array_equal(found, slow_rings(cells, nuclei, near, far))


def test_a_ring_stays_in_its_own_cell_and_off_every_nucleus():
    rng = np.random.default_rng(0)
    cells = np.repeat(np.repeat(rng.permutation(12).reshape(3, 4) + 1, 20, 0), 20, 1)
    nuclei = np.where(rng.random(cells.shape) < 0.3, cells, 0)
    rings = rings_of(cells, nuclei)
    assert ((rings == 0) | (rings == cells)).all()
    assert not (rings[nuclei > 0]).any()


def test_rings_grow_with_the_nucleus():
    sizes = []
    for radius in (10, 20):
        y, x = np.mgrid[:160, :160]
        nuclei = (np.hypot(y - 80, x - 80) <= radius).astype(np.uint16)
        rings = rings_of(np.ones_like(nuclei), nuclei)
        sizes.append(rings.sum() / nuclei.sum())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_no_nuclei_make_no_rings():
    assert not rings_of(np.ones((5, 5), np.uint16), np.zeros((5, 5), np.uint16)).any()


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.uint16, (6, 9), elements=st.integers(0, 4)),
    arrays(np.float32, (2, 6, 9), elements=st.floats(0, 1, width=32)),
)
def test_intensities_as_a_slow_loop_says(labels, pixels):
    ids = np.array([1, 3, 4])
    found = measure_intensities(pixels, labels, ids)
    for k, number in enumerate(ids):
        inside = labels == number
        for c in range(2):
            values = pixels[c][inside].astype(float)
            if not inside.any():
                assert np.isnan(found.mean[k, c])
                continue
            assert found.mean[k, c] == pytest.approx(values.mean())
            assert found.saturated[k, c] == pytest.approx((values >= 1).mean())


def test_sharpness_by_hand():
    labels = np.ones((1, 4), np.uint16)
    pixels = np.array([[[0, 1, 0, 1]], [[0, 0, 1, 1]], [[0.5, 0.5, 0.5, 0.5]]], np.float32)
    found = measure_intensities(pixels, labels, np.array([1])).sharpness[0]
    # Mean squared steps 1 and 1/3, variance 1/4 in both; the flat one has none.
    assert found[:2] == pytest.approx([4, 4 / 3])
    assert np.isnan(found[2])


def test_brightness_does_not_change_sharpness():
    rng = np.random.default_rng(0)
    labels, pixels = np.ones((20, 20), np.uint16), rng.random((1, 20, 20), np.float32)
    plain = measure_intensities(pixels, labels, np.array([1])).sharpness
    dim = measure_intensities(pixels * np.float32(0.25), labels, np.array([1])).sharpness
    assert plain == pytest.approx(dim, rel=1e-4)


def test_faulty_pixels_are_left_out():
    labels = np.ones((1, 4), np.uint16)
    pixels = np.array([[[0.2, np.nan, 0.4, np.inf]]], np.float32)
    assert measure_intensities(pixels, labels, np.array([1])).mean[0, 0] == pytest.approx(0.3)
    gone = np.full((1, 1, 4), np.nan, np.float32)
    assert np.isnan(measure_intensities(gone, labels, np.array([1])).mean[0, 0])
