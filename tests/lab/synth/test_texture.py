"""Textures: light is kept at any pixel size, spots and lines by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.synth.texture import blur, grain, level, mesh, spots, strokes, wide_blur


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("micrometres", [0.2, 0.7, 2.0])
@pytest.mark.parametrize("pixel_size", [0.08, 0.32])
def test_grain_has_mean_zero_and_spread_one(micrometres, pixel_size):
    planes = [grain((300, 300), micrometres, pixel_size=pixel_size, rng=rng(s)) for s in range(12)]
    assert np.mean(planes) == pytest.approx(0, abs=0.25)
    assert np.std(planes) == pytest.approx(1, abs=0.3)


def test_grain_is_as_wide_as_asked():
    """Half of the correlation is lost at about the grain's half width, at any pixel size."""
    widths = []
    for pixel_size in (0.1, 0.3):
        plane = grain((400, 400), 3.0, pixel_size=pixel_size, rng=rng())
        plane = plane - plane.mean()
        shares = [
            (plane[:, : 400 - k] * plane[:, k:]).mean() / (plane * plane).mean() for k in range(80)
        ]
        widths.append(pixel_size * int(np.argmax(np.array(shares) < 0.5)))
    assert widths[0] == pytest.approx(widths[1], rel=0.35)
    assert 1.0 < widths[0] < 4.0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 30), st.floats(0.05, 1))
def test_any_shape_and_size_of_grain(height, width, micrometres, pixel_size):
    plane = grain((height, width), micrometres, pixel_size=pixel_size, rng=rng())
    assert plane.shape == (height, width)
    assert plane.dtype == np.float32
    assert np.isfinite(plane).all()


def test_a_mesh_lies_between_nothing_and_one():
    plane = mesh((200, 200), 1.0, pixel_size=0.2, rng=rng())
    assert plane.min() >= 0
    assert plane.max() <= 1
    assert 0.1 < plane.mean() < 0.7


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 2.0), st.floats(8.0, 12.0), st.floats(8.0, 12.0))
def test_a_spot_has_its_light_and_its_place(radius, y, x):
    """Light = 2 pi sigma^2 with sigma = radius / 1.4, wherever the spot lies between pixels."""
    plane = spots(
        (100, 100),
        (np.array([y]), np.array([x])),
        radii=np.array([radius]),
        heights=np.array([2.0]),
        pixel_size=0.2,
    ).astype(float)
    light = 2.0 * 2 * np.pi * (radius / 1.4 / 0.2) ** 2
    assert plane.sum() == pytest.approx(light, rel=0.06)
    rows, columns = np.indices(plane.shape) * 0.2
    assert (plane * rows).sum() / plane.sum() == pytest.approx(y, abs=0.01)
    assert (plane * columns).sum() / plane.sum() == pytest.approx(x, abs=0.01)


def test_a_small_spot_keeps_its_light_when_pixels_grow():
    lights = []
    for pixel_size in (0.05, 0.1, 0.3):
        shape = (round(12 / pixel_size),) * 2
        plane = spots(
            shape,
            (np.array([6.03]), np.array([5.96])),
            radii=np.array([0.2]),
            heights=np.ones(1),
            pixel_size=pixel_size,
        )
        lights.append(float(plane.sum()) * pixel_size**2)
    assert lights == pytest.approx([lights[0]] * 3, rel=0.06)


def test_spots_beyond_the_edge_and_none_at_all():
    far = spots(
        (20, 20), (np.array([-50.0]), np.array([2.0])), radii=np.ones(1), heights=np.ones(1),
        pixel_size=0.2,
    )  # fmt: skip
    assert not far.any()
    none = spots((4, 5), (np.zeros(0),) * 2, radii=np.zeros(0), heights=np.zeros(0), pixel_size=1.0)
    assert none.shape == (4, 5)


def test_a_straight_line_by_hand():
    """A line of 10 pixels, not blurred, holds 10 pixels of light in its own row."""
    x = np.linspace(5, 15, 41)[None, :]
    plane = strokes((20, 20), (np.full_like(x, 8.0), x), width=0.0, pixel_size=1.0)
    assert plane.sum() == pytest.approx(10, rel=0.05)
    assert plane[8].sum() == pytest.approx(plane.sum())
    assert plane[8, 7:14] == pytest.approx(np.ones(7), abs=0.01)


def test_a_line_between_two_rows_lights_both():
    x = np.linspace(5, 15, 41)[None, :]
    plane = strokes((20, 20), (np.full_like(x, 8.25), x), width=0.0, pixel_size=1.0)
    assert plane[8].sum() == pytest.approx(3 * plane[9].sum(), rel=1e-4)


def test_weights_end_a_line():
    x = np.linspace(0, 19, 77)[None, :]
    plane = strokes(
        (20, 20), (np.full_like(x, 5.0), x), weights=(x < 10).astype(float), width=0.0,
        pixel_size=1.0,
    )  # fmt: skip
    assert plane[5, 1:9].min() > 0.9
    assert not plane[5, 12:].any()


def test_no_lines():
    assert not strokes((3, 3), (np.zeros((0, 5)),) * 2, width=1.0, pixel_size=1.0).any()


def test_level_by_hand():
    plane = np.zeros((4, 4), np.float32)
    assert level(plane) == 0
    plane[0] = 3.0
    assert level(plane) == 3
    plane[1] = 1.0
    assert level(plane) == pytest.approx((4 * 9 + 4) / (12 + 4))


@pytest.mark.parametrize("sigma", [2.0, 8.0, 31.0])
def test_the_quick_wide_blur_is_the_blur(sigma):
    plane = rng().random((256, 200), dtype=np.float32)
    plane[100:140, 50:90] += 5
    # The quick one looks at blocks of a third of sigma.
    assert np.abs(wide_blur(plane, sigma) - blur(plane, sigma)).max() < 0.1


def test_a_blur_below_a_tenth_of_a_pixel_is_none():
    plane = rng().random((5, 5), dtype=np.float32)
    assert blur(plane, 0.05) is plane
