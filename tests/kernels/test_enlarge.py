"""Labels drawn at full size: smooth, without gaps, and measured on the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.enlarge import enlarge


def draw(labels, shape, *, inner=None, border=None, nuclei=None, nuclear=None):
    solid = ((labels > 0) * 255).astype(np.uint8)
    inner = solid if inner is None else inner
    return enlarge(
        labels.astype(np.int32),
        inner,
        np.zeros_like(inner) if border is None else border,
        (100.0, 12.75),
        nuclei=np.zeros_like(inner) if nuclei is None else nuclei,
        nuclear_inner=np.zeros_like(inner) if nuclear is None else nuclear,
        nuclear_level=102.0,
        shape=shape,
    )


def ramp(distance, sharp=25):
    """A map that is 100 where the distance is 0 and rises inwards."""
    return np.clip(100 - sharp * distance, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(256, 256), (230, 300), (301, 217), (64, 64)])
def test_a_disc_comes_out_round_at_any_size(shape):
    y, x = np.mgrid[:64, :64] + 0.5
    distance = np.hypot(y - 31.3, x - 34.8) - 20
    drawn = draw((distance < 0).astype(int), shape, inner=ramp(distance))
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    truth = np.hypot(y / shape[0] * 64 - 31.3, x / shape[1] * 64 - 34.8) < 20
    assert (truth != (drawn.cells > 0)).sum() < 0.006 * truth.sum()


def test_the_same_size_changes_nothing():
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 7, (9, 8)), np.ones((3, 3), int))
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    nuclei = (rng.random(labels.shape) < 0.5).astype(np.uint8)
    noise = rng.integers(0, 256, labels.shape).astype(np.uint8)
    drawn = draw(labels, labels.shape, inner=noise, nuclei=nuclei, nuclear=noise[::-1].copy())
    assert np.array_equal(drawn.cells, labels)
    assert np.array_equal(drawn.nuclei, labels * nuclei)


def test_the_border_between_cells_follows_the_valley():
    y, x = np.mgrid[:50, :80] + 0.5
    right = x - 0.5 * y - 27.3
    valley = np.clip(np.abs(right) * 60, 0, 255).astype(np.uint8)
    drawn = draw(np.where(right < 0, 1, 2), (200, 320), inner=valley, border=255 - valley)
    y, x = np.mgrid[:200, :320] + 0.5
    truth = np.where(x / 4 - 0.5 * y / 4 - 27.3 < 0, 1, 2)
    # A quarter of a grid step on average, over the length of the border.
    assert (drawn.cells != truth).sum() < 224 * 1.0
    assert (drawn.cells > 0).all()


def test_a_nucleus_has_its_cells_number_and_ends_with_it():
    labels = np.zeros((20, 30), int)
    labels[3:17, 3:15], labels[3:17, 15:27] = 1, 2
    spot = np.zeros((20, 30), np.uint8)
    spot[8:12, 10:30] = 255
    drawn = draw(labels, (80, 120), nuclei=(spot > 0).view(np.uint8), nuclear=spot)
    assert set(np.unique(drawn.nuclei)) == {0, 1, 2}
    assert np.array_equal(drawn.nuclei[drawn.nuclei > 0], drawn.cells[drawn.nuclei > 0])


@given(st.integers(0, 10_000), st.integers(4, 60), st.integers(4, 60))
@settings(max_examples=60, deadline=None)
def test_areas_boxes_and_numbers_are_those_of_the_image(seed, height, width):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 6, (5, 6)), np.ones((3, 2), int))
    labels = np.unique(np.append(labels, 0), return_inverse=True)[1][:-1].reshape(labels.shape)
    maps = rng.integers(0, 256, (3, *labels.shape)).astype(np.uint8)
    drawn = draw(
        labels,
        (height, width),
        inner=maps[0],
        border=maps[1],
        nuclei=(maps[2] > 102).view(np.uint8),
        nuclear=maps[2],
    )
    count = len(drawn.areas)
    assert np.array_equal(np.unique(np.append(drawn.cells, 0)), np.arange(count + 1))
    assert drawn.areas.tolist() == np.bincount(drawn.cells.ravel(), minlength=1)[1:].tolist()
    for number, box in enumerate(drawn.boxes, start=1):
        y, x = np.nonzero(drawn.cells == number)
        assert box.tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]
    inside = drawn.nuclei > 0
    assert np.array_equal(drawn.nuclei[inside], drawn.cells[inside])


def test_a_cell_that_falls_between_pixels_leaves_no_gap():
    labels = np.zeros((40, 40), int)
    labels[5, 5], labels[20:35, 20:35] = 1, 2
    drawn = draw(labels, (7, 7))
    assert drawn.cells.max() == 1
    assert len(drawn.areas) == 1


@pytest.mark.slow
def test_more_than_65535_cells_get_a_wider_type():
    labels = np.arange(1, 300 * 300 + 1).reshape(300, 300)
    drawn = draw(labels, (600, 600))
    assert drawn.cells.dtype == np.uint32
    assert np.array_equal(np.unique(drawn.cells), np.arange(1, 90_001))
    assert drawn.areas.sum() == 360_000
