"""Colours of channels: told apart, never white when mixed, with lines that are seen on them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2lab

from cellwise.domain.channels import ROLES, Channel
from cellwise.parts.drawing.colours import MOST_SHOWN, first_shown, tints
from cellwise.parts.drawing.images import (
    blend,
    common_limits,
    composite,
    limits,
    shrink_pixels,
    stretch,
)
from cellwise.stages.report.drawing.lines import CELL, NUCLEUS, line_png
from cellwise.stages.report.drawing.scale_bar import scale_bar
from cellwise.stages.report.sections.known import COLOURS as KNOWN_COLOURS

CELL_PAINTING = ("nucleus", "er", "actin", "mitochondria", "golgi", "rna")
ATLAS = ("nucleus", "protein", "microtubule", "er")
# Machado, Oliveira and Fernandes 2009, deuteranopia, severity 1, on linear red, green and blue.
_DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def linear(rgb):
    rgb = np.asarray(rgb, float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def screen(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def least_distance(rgb):
    places = rgb2lab(np.asarray(rgb, float)[None])[0]
    away = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return away[np.triu_indices(len(places), 1)].min()


def of_roles(roles):
    return [tint.rgb for tint in tints([Channel(role, role) for role in roles])]


channel_sets = st.lists(st.sampled_from((*ROLES, None)), min_size=2, max_size=16).map(
    lambda roles: [Channel(f"c{n}", role) for n, role in enumerate(roles)]
)


@given(channel_sets)
def test_no_two_channels_of_any_set_look_alike(channels):
    found = tints(channels)
    assert len({tint.name for tint in found}) == len({tint.code for tint in found}) == len(found)
    assert least_distance([tint.rgb for tint in found]) > (35 if len(found) <= 11 else 20)


def test_as_many_channels_as_a_cycle_of_stains_gives_all_have_a_colour():
    found = tints([Channel(f"c{n}") for n in range(60)])
    assert least_distance([tint.rgb for tint in found]) > 8


def test_stains_of_the_atlas_have_its_colours():
    names = [tint.name for tint in tints([Channel(role, role) for role in ATLAS])]
    assert names == ["blue", "green", "red", "yellow"]


@given(st.sets(st.sampled_from(ROLES)))
def test_no_other_stain_takes_the_colours_of_the_atlas_from_it(others):
    channels = [Channel(role, role) for role in (*sorted(others - set(ATLAS)), *ATLAS)]
    assert tints(channels)[-4:] == tints([Channel(role, role) for role in ATLAS])


def test_stains_of_cell_painting_have_six_plain_colours():
    names = [tint.name for tint in tints([Channel(role, role) for role in CELL_PAINTING])]
    assert names == ["blue", "yellow", "red", "magenta", "green", "cyan"]


def test_a_lone_channel_is_grey():
    assert [tint.name for tint in tints((Channel("gfp", "protein"),))] == ["grey"]


@pytest.mark.parametrize("roles", [ATLAS, CELL_PAINTING])
def test_colours_stay_apart_for_who_cannot_tell_red_from_green(roles):
    seen = screen(linear(of_roles(roles)) @ _DEUTERANOPIA.T)
    assert least_distance(seen) > 20
    assert least_distance(seen[:MOST_SHOWN]) > 25


@given(channel_sets)
def test_at_most_four_are_shown_and_bright_field_only_alone(channels):
    shown = first_shown(channels)
    assert 1 <= len(shown) <= 4
    assert shown == sorted(set(shown))
    stains = [n for n, channel in enumerate(channels) if channel.role != "brightfield"]
    assert not stains or set(shown) <= set(stains)
    assert len(shown) == min(4, len(stains) or len(channels))


def test_known_stains_are_shown_before_unknown_ones():
    channels = [Channel("a"), Channel("b"), Channel("tub", "microtubule"), Channel("c"),
                Channel("dna", "nucleus")]  # fmt: skip
    assert first_shown(channels) == [0, 1, 2, 4]


@given(channel_sets, st.integers(0, 2**32 - 1))
def test_no_mix_of_channels_is_white_or_leaves_the_range(channels, seed):
    """Of any levels, and of all channels at full level at once."""
    random = np.random.default_rng(seed)
    levels = random.choice([0, 40, 128, 255], (len(channels), 1, 64)).astype(np.uint8)
    levels[:, :, 0] = 255
    colours = [tint.rgb for tint in tints(channels)]
    mixed = blend(levels, colours).reshape(-1, 3)
    from_white = np.linalg.norm(rgb2lab(mixed[None] / 255)[0] - (100, 0, 0), axis=1)
    assert from_white.min() > 12
    brightest = (levels.reshape(len(channels), -1) * np.max(colours, axis=1)[:, None]).max(axis=0)
    assert (mixed.max(axis=1) <= brightest + 1).all()


@given(channel_sets, st.integers(0, 2**32 - 1))
def test_mixing_keeps_the_hue_of_the_weighted_sum(channels, seed):
    """Parts of the shown colour stand to each other as parts of the sum: none is cut off."""
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (len(channels), 1, 64), np.uint8)
    colours = np.array([tint.rgb for tint in tints(channels)])
    added = colours.T @ levels.reshape(len(channels), -1).astype(float) ** 2
    mixed = blend(levels, [tuple(rgb) for rgb in colours]).reshape(-1, 3).T.astype(float)
    scale = mixed.max(axis=0) / np.maximum(added.max(axis=0), 1e-9)
    assert np.abs(mixed - added * scale).max() <= 1.5


@given(channel_sets, st.integers(0, 255))
def test_a_channel_alone_has_exactly_its_colour(channels, level):
    for n, tint in enumerate(tints(channels)):
        levels = np.zeros((len(channels), 1, 1), np.uint8)
        levels[n] = level
        shown = blend(levels, [one.rgb for one in tints(channels)])[0, 0]
        assert np.abs(shown - np.multiply(tint.rgb, level)).max() <= 1


def test_added_up_as_they_are_the_same_six_channels_turn_white():
    """Why mixing needs headroom: the sum of the six stains of Cell Painting, cut off, is white."""
    six = of_roles(CELL_PAINTING)
    assert np.clip(np.sum(six, axis=0), 0, 1).min() == 1
    levels = np.full((6, 1, 1), 255, np.uint8)
    assert blend(levels, six).max() < 0.8 * 255


def test_only_the_chosen_channels_are_drawn():
    pixels = np.zeros((3, 1, 3), np.float32)
    pixels[range(3), 0, range(3)] = 1
    channels = [Channel("dna", "nucleus"), Channel("gfp", "protein"), Channel("x")]
    image = composite(pixels, channels, [(0, 1)] * 3, shown=[1])
    assert image[0, :, 1].tolist() == [0, 245, 0]
    assert not composite(pixels, channels, [(0, 1)] * 3, shown=[]).any()


def luminance(rgb):
    return linear(rgb) @ np.array([0.2126, 0.7152, 0.0722])


def contrast(one, other):
    high, low = max(one, other), min(one, other)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("lines", [(CELL, NUCLEUS), KNOWN_COLOURS])
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_lines_are_seen_on_any_background(lines, background):
    """Contrast of a line with the rim beside it, or with what lies under it, as WCAG counts it."""
    numbers = np.zeros((3, 4 * len(lines)), np.uint8)
    numbers[1, ::4] = np.arange(1, len(lines) + 1)
    over = Image.open(io.BytesIO(line_png(numbers, lines))).convert("RGBA")
    under = Image.new("RGBA", over.size, (*background, 255))
    shown = np.asarray(Image.alpha_composite(under, over).convert("RGB")) / 255
    for n in range(len(lines)):
        line, rim = (luminance(shown[1, 4 * n + step]) for step in (0, 1))
        assert contrast(line, rim) > 2.8


def test_one_saturated_and_many_empty_fields_leave_the_others_as_they_are():
    usual, empty, saturated = (0.02, 0.4), (0.01, 0.03), (0.5, 1.0)
    low, high = common_limits([usual] * 18 + [saturated])
    assert (low, high) == usual
    low, high = common_limits([usual] * 8 + [empty] * 9)
    assert high == pytest.approx(0.4)
    assert low == pytest.approx(0.01)
    assert common_limits([usual]) == usual


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 3))
def test_a_shrunk_field_keeps_its_mean(tall, wide, count):
    pixels = np.random.default_rng(tall * 71 + wide).random((count, tall, wide), np.float32)
    small = shrink_pixels(pixels, 16)
    assert max(small.shape[1:]) <= 16
    assert small.mean() == pytest.approx(pixels.mean(), abs=0.02 + 0.5 / min(tall, wide))


def test_equal_pixels_look_equal_in_every_field():
    dim, bright = np.full((1, 2, 2), 0.2, np.float32), np.full((1, 2, 2), 0.6, np.float32)
    bounds = [common_limits([limits(dim)[0], limits(bright)[0]])]
    assert stretch(dim, bounds).max() < stretch(bright, bounds).min()


@given(st.floats(1e-3, 1e7))
def test_a_scale_bar_is_round_and_about_a_fifth(width):
    bar = scale_bar(width)
    digits = f"{bar.micrometres:.6e}"
    assert digits[0] in "125"
    assert set(digits[1 : digits.index("e")]) <= set(".0")
    assert 0.12 <= bar.share <= 0.32
    assert bar.share == pytest.approx(bar.micrometres / width)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (100, "20 µm"),
        (13, "2 µm"),
        (3.1, "500 nm"),
        (0.9, "200 nm"),
        (4_300, "1 mm"),
        (665, "100 µm"),
    ],
)
def test_scale_bars_say_their_length(width, words):
    assert scale_bar(width).words == words


@pytest.mark.parametrize("width", [None, 0.0, -3.0, float("nan"), float("inf")])
def test_without_a_known_width_there_is_no_bar(width):
    assert scale_bar(width) is None
