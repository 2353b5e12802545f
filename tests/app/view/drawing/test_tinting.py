"""Channels as an address names them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.app.view.drawing.tinting import asked_channels
from cellwise.domain.channels import Channel
from cellwise.errors import UsageError

CHANNELS = [Channel("dna", "nucleus"), Channel("gfp", "protein"), Channel("er", "er")]
BOUNDS = [(0.0, 0.5), (0.1, 0.6), (0.2, 0.7)]


def asked(text):
    return asked_channels(text, CHANNELS, BOUNDS)


def test_without_a_word_the_first_are_shown_as_the_run_has_them():
    assert [(one.place, one.dark, one.bright) for one in asked(None)] == [
        (0, 0.0, 0.5), (1, 0.1, 0.6), (2, 0.2, 0.7),
    ]  # fmt: skip


def test_contrast_and_colour_are_taken_from_the_address():
    first, second = asked("2:0.25:0.75,0:0:1:ff8000")
    assert (first.place, first.rgb) == (0, (1.0, 128 / 255, 0.0))
    assert (second.dark, second.bright) == (0.25, 0.75)
    (only,) = asked("1:00ff00")
    assert (only.dark, only.bright, only.rgb) == (0.1, 0.6, (0.0, 1.0, 0.0))


@pytest.mark.parametrize("text", ["", "none", ","])
def test_no_channel_can_be_asked_for(text):
    assert asked(text) == []


def test_a_brightest_below_the_darkest_is_no_division_by_zero():
    (one,) = asked("0:0.5:0.2")
    assert one.bright > one.dark


@given(text=st.text(max_size=30))
def test_other_words_are_refused_and_never_an_error(text):
    try:
        found = asked(text)
    except UsageError:
        return
    assert all(one.place < 3 and one.bright > one.dark for one in found)


def test_five_channels_are_too_many():
    many = [Channel(f"c{n}") for n in range(6)]
    with pytest.raises(UsageError, match="at most 4"):
        asked_channels("0,1,2,3,4", many, [(0.0, 1.0)] * 6)
