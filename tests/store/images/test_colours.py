"""Colours: grey and one hue are a channel, several hues are not; marks and animations are named."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.stages.read.read_folders import codes, image, put, put_hues, read

from cellwise.store.images.colours import grey_of, hues_of
from cellwise.store.images.fields import read_header, read_pixels


@given(
    st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 3).filter(lambda hue: max(hue) == 1),
    st.integers(0, 99),
)
def test_an_image_shown_in_one_colour_is_read_as_what_is_shown(hue, seed):
    grey = image(seed, (16, 16))
    colours = np.round(grey[..., None] * np.array(hue)).astype(np.uint8)
    assert hues_of(colours) == ("grey" if min(hue) == 1 else "one")
    np.testing.assert_array_equal(grey_of(colours, one_hue=True), grey)


@given(st.permutations([0, 1, 2]), st.integers(0, 99))
def test_two_channels_in_one_image_are_several_hues(order, seed):
    colours = np.stack([image(seed), image(seed + 1), np.zeros_like(image())], axis=-1)
    assert hues_of(colours[..., order]) == "several"


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_channels_saved_in_their_own_colour_are_channels(tmp_path, ending):
    hues = {"blue": (0, 0, 1), "green": (0, 1, 0)}
    put_hues(tmp_path, {f"{w}_{c}.{ending}": h for w in ("A01", "A02") for c, h in hues.items()})
    reading = read(tmp_path)
    assert len(reading.usable) == 2
    assert all(entry.colour for site in reading.usable for entry in site.files)
    assert any("one hue" in note for note in reading.notes)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_composites_are_set_aside_or_split_where_asked(tmp_path, ending):
    for well in ("A01", "A02"):
        path = tmp_path / f"{well}.{ending}"
        Image.fromarray(image(3, (24, 32, 3))).save(path)
    aside = read(tmp_path)
    assert codes(aside) == ["colour"] * 2
    assert "read.colours=split" in aside.problems[0].remedy
    split = read(tmp_path, colours="split")
    assert [channel.name for channel in split.channels] == ["blue", "green", "red"]
    for entry in split.usable[0].files:
        index = ("red", "green", "blue").index(entry.channel.name)
        np.testing.assert_array_equal(
            read_pixels(entry, tmp_path), image(3, (24, 32, 3))[..., index]
        )


def test_numbers_of_a_palette_are_looked_up_and_are_no_intensities(tmp_path):
    ramp = np.arange(256, dtype=np.uint16) * 257
    for well, table in (("A01", ramp), ("A02", ramp[::-1])):
        tifffile.imwrite(
            tmp_path / f"{well}_dna.tif", image(1), photometric="palette", colormap=[table] * 3
        )
    first, second = read(tmp_path, layout="well_channel").usable
    np.testing.assert_array_equal(read_pixels(first.files[0], tmp_path), image(1))
    np.testing.assert_array_equal(read_pixels(second.files[0], tmp_path), 255 - image(1))


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_animations_are_set_aside(tmp_path, ending):
    put(tmp_path, "A01_dna.png", "A02_dna.png")
    frames = [Image.fromarray(image(seed)) for seed in (5, 6)]
    path = tmp_path / f"A03_dna.{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert codes(read(tmp_path)) == ["animation"]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_an_orientation_mark_is_named_and_sets_aside_where_channels_differ(tmp_path, ending):
    put(tmp_path, *(f"{w}_{c}.png" for w in ("A01", "A02") for c in ("dna", "gfp")))
    (tmp_path / "A02_gfp.png").unlink()
    path = tmp_path / f"A02_gfp.{ending}"
    if ending == "tif":
        tag = (274, "H", 1, 3, True)
        tifffile.imwrite(path, image(1), photometric="minisblack", extratags=[tag])
    else:
        exif = Image.Exif()
        exif[274] = 3
        Image.fromarray(image(1)).save(path, exif=exif)
    assert read_header(path).turned == 3
    reading = read(tmp_path)
    assert reading.status == {"A01": "ok", "A02": "turned"}
    assert any("orientation 3" in note for note in reading.notes)
