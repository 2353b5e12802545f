"""One intensity scale per channel of a folder, kept with the run; what misfits is set aside."""

import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.read.read_folders import put, read
from tests.stages.read.test_read_step import job, silent

from cellwise.domain.records import Field
from cellwise.errors import InputError, PreflightError
from cellwise.stages.read import step
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import read_sites

PICTURE = np.random.default_rng(2).beta(1, 4, (30, 40))


def save(folder, **pixels):
    folder.mkdir(exist_ok=True)
    for name, image in pixels.items():
        tifffile.imwrite(folder / f"{name}_gfp.tif", image, photometric="minisblack")
    return folder


def floats(top=1.0, hot=None):
    image = (PICTURE * top).astype(np.float32)
    if hot is not None:
        image[3, 3] = hot
    return image


def fields(folder, reading) -> dict[str, Field]:
    return {site.id: read_field(site, folder) for site in reading.usable}


def scale(reading):
    (one,) = reading.scales.values()
    return one


def test_a_hot_pixel_changes_no_other_pixel(tmp_path):
    save(tmp_path, A01=floats(), A02=floats(hot=1.07), A03=floats(hot=5.5), A04=floats())
    reading = read(tmp_path)
    assert (scale(reading).text, scale(reading).source) == ("float 0..1", "sample")
    assert scale(reading).high == 5.5
    found = fields(tmp_path, reading)
    assert len(found) == 4
    for one in found.values():
        np.testing.assert_array_equal(one.pixels[0, 4:], found["A01"].pixels[0, 4:])


def test_an_image_that_was_not_looked_at_fits_or_is_set_aside(tmp_path, monkeypatch):
    """The decision rests on a sample; the others meet it when they are decoded."""
    monkeypatch.setattr("cellwise.stages.read.scales.fitting._MOST", 2)
    save(tmp_path, A01=floats(), A02=floats(hot=9.0), A03=floats(900.5), A04=floats())
    reading = read(tmp_path)
    assert (scale(reading).sampled, len(reading.usable)) == (2, 4)
    sites = {site.id: site for site in reading.usable}
    one, other = (read_field(sites[name], tmp_path).pixels[0, 4:] for name in ("A01", "A02"))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match=r"becomes 1\.0 in this channel") as caught:
        read_field(sites["A03"], tmp_path)
    assert (caught.value.code, caught.value.path) == ("scale_mismatch", "A03_gfp.tif")


def test_the_minority_of_two_scales_is_set_aside(tmp_path):
    save(tmp_path, A01=floats(2400.5), A02=floats(0.9), A03=floats(2100.5), A04=floats(300.5))
    reading = read(tmp_path)
    assert scale(reading).text == "float 0..65535"
    assert reading.status == {"A01": "ok", "A02": "scale_mismatch", "A03": "ok", "A04": "ok"}
    (problem,) = [p for p in reading.problems if p.set_aside]
    assert (problem.site_id, problem.path) == ("A02", "A02_gfp.tif")


def test_two_bit_depths_of_one_channel_are_named_and_the_rarer_is_set_aside(tmp_path):
    twelve = np.rint(PICTURE * 4000).astype(np.uint16)
    eight = np.rint(PICTURE * 250).astype(np.uint8)
    save(tmp_path, A01=eight, A02=twelve, A03=twelve, A04=eight)
    reading = read(tmp_path)
    assert {site.id for site in reading.usable} == {"A02", "A03"}
    assert any("several bit depths (2 images uint16, 2 images uint8)" in n for n in reading.notes)
    by_type = read(tmp_path, scale={"gfp": "type"})
    assert len(by_type.usable) == 4
    tops = [one.pixels.max() for one in fields(tmp_path, by_type).values()]
    assert max(tops) > 15 * min(tops), "it was asked for"


STORED = {
    "8-bit": np.rint(PICTURE * 250).astype(np.uint8),
    "12 in 16 bits": np.rint(PICTURE * 4000).astype(np.uint16),
    "the same, wider": np.rint(PICTURE * 4000).astype(np.int32),
    "signed with an offset": (np.rint(PICTURE * 4000) - 32768).astype(np.int16),
    "signed": np.rint(PICTURE * 4000).astype(np.int16),
    "0 to 1": PICTURE.astype(np.float32),
    "counts in float": (PICTURE * 4000).astype(np.float32),
}
ASKED = ("", "255", "4095", "65535", "0..65535", "-32768..32767", "counts 0..65535")


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(STORED)), min_size=2, max_size=6), st.sampled_from(ASKED))
def test_no_range_that_is_asked_for_gives_one_picture_two_brightnesses(stored, asked):
    with TemporaryDirectory() as name:
        images = {f"A{k:02d}": STORED[kind] for k, kind in enumerate(stored, start=1)}
        folder = save(Path(name) / "in", **images)
        try:
            reading = read(folder, **({"scale": {"gfp": asked}} if asked else {}))
        except PreflightError:
            return
        found = []
        for site in reading.usable:
            with suppress(InputError):
                found.append(read_field(site, folder).pixels[0])
        for one in found[1:]:
            np.testing.assert_allclose(one, found[0], rtol=0.02, atol=0.002)
        aside = {problem.site_id for problem in reading.problems if problem.set_aside}
        assert aside == {site.id for site in reading.sites} - {site.id for site in reading.usable}


def test_a_range_holds_for_the_number_type_of_most_images_and_stays_with_it(tmp_path):
    images, run = tmp_path / "in", RunFolder(tmp_path / "run")
    wide, narrow = STORED["12 in 16 bits"], STORED["8-bit"]
    save(images, A01=wide, A02=wide, A03=narrow)
    asked = {"scale": {"gfp": "0..65535"}}
    for _ in range(2):
        step.work(job(tmp_path, images, **asked), silent)
        (problem,) = [p for p in read_json(run.reading)["problems"] if p["set_aside"]]
        assert problem["site_id"] == "A03"
        assert "read.scale" not in problem["remedy"], "no range mends it"
    # More of the other kind than before: the run keeps its own.
    save(images, A04=narrow, A05=narrow, A06=narrow)
    step.work(job(tmp_path, images, **asked), silent)
    assert read_json(run.reading)["scales"]["gfp"]["scale"] == "counts 0..65535"
    usable = [site.id for site in read_sites(run.sites) if site.files[0].scale.takes("uint16")]
    assert {"A01", "A02"} <= set(usable)


def test_reading_two_depths_by_their_types_says_how_far_apart_they_lie(tmp_path):
    save(tmp_path, A01=STORED["8-bit"], A02=STORED["12 in 16 bits"])
    reading = read(tmp_path, scale={"gfp": "type"})
    assert len(reading.usable) == 2
    (note,) = [n for n in reading.notes if "bit depths" in n]
    assert "8-bit images 69.8%, counts images 4.4%" in note


def test_bit_depths_that_are_filled_alike_are_each_read_by_their_type(tmp_path):
    whole = np.rint(PICTURE * 65535).astype(np.uint16)
    eight = np.rint(PICTURE * 255).astype(np.uint8)
    save(tmp_path, A01=eight, A02=whole)
    reading = read(tmp_path)
    assert scale(reading).text == "type"
    first, second = fields(tmp_path, reading).values()
    np.testing.assert_allclose(first.pixels, second.pixels, atol=0.003)
    assert any("two bit depths" in note for note in reading.notes)


def test_a_folder_below_zero_is_refused_with_the_words_that_help(tmp_path):
    shifted = (np.rint(PICTURE * 4000) - 32768).astype(np.int16)
    save(tmp_path, A01=shifted, A02=shifted)
    with pytest.raises(PreflightError, match="all values are negative") as refused:
        read(tmp_path)
    assert "--set read.scale.gfp=-32768..32767" in str(refused.value)
    reading = read(tmp_path, scale={"GFP": "-32768..32767"})
    assert fields(tmp_path, reading)["A01"].pixels.max() == pytest.approx(4000 / 65535, rel=0.2)


def test_fields_added_later_are_held_to_the_scale_of_the_run(tmp_path):
    images, run = tmp_path / "in", RunFolder(tmp_path / "run")
    save(images, A01=floats(), A02=floats())
    step.work(job(tmp_path, images), silent)
    save(images, A03=floats(1.7), A04=floats(hot=3.0), **{f"B{n:02d}": floats() for n in (1, 2)})
    step.work(job(tmp_path, images), silent)
    facts = read_json(run.reading)["scales"]["gfp"]
    assert (facts["scale"], facts["source"]) == ("float 0..1", "run")
    assert {str(site.files[0].scale) for site in read_sites(run.sites)} == {"float 0..1"}
    aside = [p for p in read_json(run.reading)["problems"] if p["set_aside"]]
    assert [p["site_id"] for p in aside] == ["A03"]
    # Most of a folder in other numbers is another folder.
    shutil.rmtree(images)
    save(images, **{f"A{n:02d}": floats(3000.5) for n in range(1, 5)})
    with pytest.raises(PreflightError, match=r"1 becomes 1\.0"):
        step.work(job(tmp_path, images), silent)


def test_a_scale_that_is_asked_for_goes_with_the_setting(tmp_path):
    images, run = tmp_path / "in", RunFolder(tmp_path / "run")
    save(images, A01=floats(900.5), A02=floats(700.5))
    for options, text in (({"scale": {"gfp": 4095}}, "float 0..4095"), ({}, "float 0..65535")):
        step.work(job(tmp_path, images, **options), silent)
        assert read_json(run.reading)["scales"]["gfp"]["scale"] == text


def test_a_folder_laid_out_alike_is_held_to_the_scale(tmp_path):
    first = read(save(tmp_path / "a", A01=floats(), A02=floats()))
    assert first.again["scale"] == {"protein": "float 0..1"}
    save(tmp_path / "b", B01=np.rint(PICTURE * 250).astype(np.uint8))
    with pytest.raises(PreflightError, match="uint8, and the scale that is asked for"):
        read(tmp_path / "b", scale=first.again["scale"])


def test_what_was_never_wrong_stays_as_it_is(tmp_path):
    """8-bit over 255 and 16-bit over 65535, whatever they hold."""
    for dtype, text in (("uint8", "8-bit 0..255"), ("uint16", "counts 0..65535")):
        folder = put(tmp_path / dtype, "A01_dna.png", "A02_dna.png", dtype=dtype)
        reading = read(folder)
        assert (scale(reading).text, scale(reading).source) == (text, "type")
        assert all(site.files[0].scale.is_of_type(dtype) for site in reading.sites)


def test_equally_many_of_two_depths_are_said_to_be_so(tmp_path):
    """Which half is kept is a choice that people have to see; of a clear majority it is none."""
    low = (PICTURE * 200).astype(np.uint8)
    wide = (PICTURE * 3000).astype(np.uint16)
    save(tmp_path / "even", A01=low, A02=wide, A03=low, A04=wide)
    even = read(tmp_path / "even")
    assert [site.id for site in even.usable] == ["A02", "A04"]
    assert any("equally many, so uint16 was taken" in note for note in even.notes)
    save(tmp_path / "odd", A01=low, A02=wide, A03=low, A04=wide, A05=wide)
    assert not any("equally many" in note for note in read(tmp_path / "odd").notes)


@given(st.integers(2, 4), st.integers(2, 4), st.sampled_from([10, 16, 257]))
@settings(max_examples=15, deadline=None)
def test_two_depths_in_one_number_type_are_named(low, high, factor):
    picture = (20 + PICTURE * 200).astype(np.uint16)
    with TemporaryDirectory() as home:
        folder = save(
            Path(home) / "in",
            **{f"A{i:02d}": picture for i in range(1, low + 1)},
            **{f"B{i:02d}": picture * factor for i in range(1, high + 1)},
        )
        reading = read(folder)
    (problem,) = [one for one in reading.problems if one.code == "brightness_apart"]
    assert f"{low} of {low + high} images" in problem.reason
    assert len(reading.usable) == low + high


def test_dim_stains_over_the_same_dark_are_no_other_depth(tmp_path):
    dark = 100
    save(
        tmp_path,
        **{f"A0{i}": (dark + PICTURE * 300).astype(np.uint16) for i in (1, 2, 3)},
        **{f"B0{i}": (dark + PICTURE * 30000).astype(np.uint16) for i in (1, 2, 3)},
        C01=(16 * dark + PICTURE * 60000).astype(np.uint16),
    )
    assert not read(tmp_path).problems


def test_an_offset_below_zero_is_proposed_over_the_whole_type(tmp_path):
    for name, top in (("int8", 127), ("int16", 32767)):
        picture = (PICTURE * (2 * top) - top).astype(name)
        with pytest.raises(PreflightError, match=rf"read\.scale\.gfp=-{top + 1}\.\.{top}"):
            read(save(tmp_path / name, A01=picture, A02=picture))
