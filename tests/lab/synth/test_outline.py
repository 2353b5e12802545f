"""Outlines: ellipses by hand, and the two ways to ask where the line is agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.synth.outline import Outline, draw_harmonics

PLAIN = np.zeros(0, np.complex128)


def test_a_circle_by_hand():
    circle = Outline((10.0, 20.0), 0.0, (5.0, 5.0), PLAIN)
    fill = circle.fill(np.array([10.0, 15.0]), np.array([20.0, 30.0]))
    assert fill == pytest.approx(np.array([[0, 2], [1, 5**0.5]]), abs=1e-3)


def test_an_ellipse_that_stands_upright():
    ellipse = Outline((0.0, 0.0), np.pi / 2, (8.0, 4.0), PLAIN)
    assert ellipse.rim(np.array([0.0, np.pi / 2])) == pytest.approx([4.0, 8.0])
    assert ellipse.radius == pytest.approx(32**0.5)
    fill = ellipse.fill(np.array([0.0, 8.0]), np.array([0.0, 4.0]))
    assert fill[1, 0] == pytest.approx(1, abs=1e-3)
    assert fill[0, 1] == pytest.approx(1, abs=1e-3)


def test_a_second_harmonic_by_hand():
    """Strength .1 at the 2nd harmonic: the radius is 1 + .1 cos(2 angle)."""
    outline = Outline((0.0, 0.0), 0.0, (10.0, 10.0), np.array([0.1 + 0j]))
    angles = np.array([0.0, np.pi / 4, np.pi / 2, 1.0])
    assert outline.rim(angles) == pytest.approx(10 + np.cos(2 * angles), abs=0.02)


def outlines():
    return st.builds(
        lambda seed, angle, stretch: Outline(
            (3.0, -4.0),
            angle,
            (10 * stretch, 10 / stretch),
            draw_harmonics(6, strength=0.08, rng=np.random.default_rng(seed)),
        ),
        st.integers(0, 999),
        st.floats(-7, 7),
        st.floats(1, 1.6),
    )


@settings(max_examples=40, deadline=None)
@given(outlines(), st.floats(-10, 10))
def test_a_point_of_the_rim_fills_the_outline_exactly(outline, angle):
    distance = float(outline.rim(np.array([angle]))[0])
    y, x = 3.0 + distance * np.sin(angle), -4.0 + distance * np.cos(angle)
    assert outline.fill(np.array([y]), np.array([x]))[0, 0] == pytest.approx(1, abs=0.02)
    assert distance <= outline.longest + 1e-9


@settings(max_examples=20, deadline=None)
@given(outlines())
def test_moving_an_outline_moves_what_it_fills(outline):
    moved = outline.moved((2.0, 5.0))
    y, x = np.linspace(-20, 20, 9), np.linspace(-20, 20, 7)
    assert moved.fill(y + 2, x + 5) == pytest.approx(outline.fill(y, x), abs=1e-2)


def test_harmonics_have_the_strength_asked_for():
    drawn = [draw_harmonics(6, strength=0.1, rng=np.random.default_rng(s)) for s in range(400)]
    radii = [Outline((0, 0), 0, (1, 1), h).rim(np.linspace(0, 6, 50)) for h in drawn]
    assert np.std(radii) == pytest.approx(0.1, rel=0.1)


def test_no_pixels_are_no_error():
    assert Outline((0.0, 0.0), 0.0, (5.0, 5.0), PLAIN).fill(np.zeros(0), np.ones(3)).shape == (0, 3)
