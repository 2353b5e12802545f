"""Seconds for large images from two smaller ones: a fixed part, and one that follows the pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.trial import at_side

SECONDS = st.floats(0.001, 100.0)


def test_a_fixed_part_is_paid_once():
    # 0.5 s whatever the size, and 1 s for 100 x 100 pixels.
    assert at_side(1.5, 100, 0.75, 50, 400) == pytest.approx(0.5 + 16.0)


@given(SECONDS, SECONDS, st.integers(33, 256), st.integers(1, 32), st.integers(256, 6000))
def test_between_the_time_tried_and_what_follows_from_pixels_alone(a, b, side, smaller, wanted):
    found = at_side(a, side, b, smaller, wanted)
    most = a * wanted**2 / side**2
    assert a * (1 - 1e-9) <= found <= most * (1 + 1e-9)


@given(st.floats(0.0, 5.0), st.floats(0.01, 5.0), st.integers(64, 256))
def test_a_straight_line_through_both(fixed, each, wanted):
    def seconds(side):
        return fixed + each * side**2 / 64**2

    found = at_side(seconds(64), 64, seconds(32), 32, wanted)
    assert found == pytest.approx(seconds(wanted), rel=1e-6)


def test_a_clock_too_coarse_leaves_the_pixels():
    assert at_side(1.0, 64, 1.2, 32, 128) == pytest.approx(4.0)
