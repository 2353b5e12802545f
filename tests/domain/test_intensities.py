"""The intensity scale of a channel: how it is written, decided, and what does not fit it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.intensities import COUNTS, EIGHT_BIT, FLOAT, Scale, decide, misfit
from cellwise.store.images.scale import levels_of

finite = st.floats(-1e9, 1e9, allow_nan=False)


def picture(top, dtype=np.float32, seed=0, base=0.0):
    """A noisy picture whose brightest pixel is about `top`."""
    plane = np.random.default_rng(seed).beta(1, 4, (40, 50))
    plane = base + plane / plane.max() * (top - base)
    return (plane if np.dtype(dtype).kind == "f" else np.rint(plane)).astype(dtype)


@given(finite, st.floats(1e-6, 1e9), st.sampled_from(["", EIGHT_BIT, COUNTS, FLOAT]))
def test_a_scale_is_read_as_it_was_written(zero, width, kind):
    if zero + width > zero:
        scale = Scale(zero, zero + width, kind)
        assert Scale.parse(str(scale)) == scale


def test_a_number_alone_is_what_becomes_one():
    assert Scale.parse("4095") == Scale(0, 4095)
    assert Scale.parse("-32768..32767") == Scale(-32768, 32767)
    for text in ("", "bright", "5..5", "9..1", "0..x", "words 0..1"):
        with pytest.raises(ValueError, match="scale"):
            Scale.parse(text)


@pytest.mark.parametrize(
    ("kind", "tops", "one"),
    [
        (EIGHT_BIT, (), 255),
        (COUNTS, (), 65535),
        (COUNTS, (900, 3100), 65535),
        (COUNTS, (110_000,), 2**19 - 1),
        (FLOAT, (), 1),
        (FLOAT, (0.2, 1.0), 1),
        (FLOAT, (0.9, 1.4), 2),
        (FLOAT, (231.5,), 255),
        (FLOAT, (180.5, 2900.5), 65535),
        (FLOAT, (50_000.5,), 65535),
        (FLOAT, (90_000.5,), 2**19 - 1),
        # Most images are of 0..1, or of counts.
        (FLOAT, (0.7, 0.8, 2100.5), 1),
        (FLOAT, (0.7, 1900.5, 2100.5), 65535),
        # A mark such as 1e12 in one image does not make the others black.
        (FLOAT, (3000.5, 2900.5, 1e12), 65535),
    ],
)
def test_the_scale_follows_from_the_images(kind, tops, one):
    images = [levels_of(picture(top, np.uint32 if kind == COUNTS else np.float64)) for top in tops]
    if max(tops, default=0) == 1e12:
        assert decide(kind, images).one < 1e6
    else:
        assert decide(kind, images) == Scale(0, one, kind)


def test_bright_debris_in_one_image_of_0_to_1_is_not_taken_for_counts():
    debris = picture(0.9, seed=1)
    debris[5, :30] = 40.0
    assert decide(FLOAT, [levels_of(picture(0.8)), levels_of(debris)]) == Scale(0, 1, FLOAT)


def test_why_an_image_does_not_fit():
    counts, unit = Scale(0, 65535, FLOAT), Scale(0, 1, FLOAT)
    assert misfit(levels_of(picture(0.8)), unit) == ""
    assert "becomes 1.0" in misfit(levels_of(picture(700.5)), unit)
    assert "lie in 0..0.8" in misfit(levels_of(picture(0.8)), counts)
    assert "8-bit" in misfit(levels_of(picture(90, np.uint8)), Scale(0, 65535, COUNTS))
    below = misfit(levels_of(picture(-20, np.int16, base=-900)), Scale(0, 65535, COUNTS))
    assert below == "all values are negative (-900 to -20)"
    standard = (picture(1.0) - picture(1.0).mean()) * 8
    assert "half of its signal" in misfit(levels_of(standard), Scale(0, 8, FLOAT))


def test_the_noise_of_a_background_that_was_subtracted_fits():
    noise = np.random.default_rng(3).normal(0, 5, (60, 60)).astype(np.float32)
    assert misfit(levels_of(noise), Scale(0, 65535, FLOAT)) == ""
