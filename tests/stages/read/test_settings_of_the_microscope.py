"""Sizes of pixels, exposures and magnifications that differ between fields are said."""

import pytest
from tests.stages.read.read_folders import put, read

from cellwise.errors import BadOption
from cellwise.stages.read.planes.settings import named_setting_notes, pixel_size_notes
from cellwise.stages.read.spec import Options


def sized(folder, *sizes):
    for number, size in enumerate(sizes):
        names = [f"A0{number + 1}_{c}.tif" for c in ("dna", "gfp")]
        said = {"resolution": (1 / size, 1 / size), "metadata": {"unit": "um"}} if size else {}
        put(folder, *names, imagej=True, **said)
    return folder


def test_fields_of_different_pixel_sizes_are_said(tmp_path):
    reading = read(sized(tmp_path, 0.65, 0.65, 0.325, 0))
    (note,) = [note for note in reading.notes if "different sizes of a pixel" in note]
    assert "0.65 µm (2), 0.325 µm (1)" in note


@pytest.mark.parametrize("sizes", [(0.65, 0.65), (0.65, 0), (0.65, 0.6501)])
def test_one_pixel_size_needs_no_word(tmp_path, sizes):
    assert read(sized(tmp_path, *sizes)).notes == ()


def test_a_pixel_size_that_contradicts_the_files_is_taken_and_said(tmp_path):
    folder = sized(tmp_path, 0.65, 0.65)
    reading = read(folder, pixel_size=6.5)
    assert {site.pixel_size for site in reading.sites} == {6.5}
    assert any("pixels of 0.65 µm (2)" in note and "=6.5" in note for note in reading.notes)
    assert read(folder, pixel_size=0.65).notes == ()
    assert pixel_size_notes({}, 0.65) == []


@pytest.mark.parametrize("size", [650, 65.0, -1])
def test_nanometres_are_no_micrometres(size):
    with pytest.raises(BadOption, match="micrometres per pixel, at most 50"):
        Options.of({"pixel_size": size})


def test_exposures_in_names_are_compared_within_a_channel():
    names = [("gfp", f"A0{n}_gfp_{100 if n < 3 else 400}ms.tif") for n in range(1, 6)]
    names += [("dna", f"A0{n}_dna_20ms.tif") for n in range(1, 6)]
    (note,) = named_setting_notes(names)
    assert note.startswith("Names of 1 channel (gfp) state several exposures: 400 ms (3), 100 ms")


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("10x/A01.tif", "20x/A01.tif", "magnifications: 10x (1), 20x (1)"),
        ("A01_bin1.tif", "A02_Bin2x2.tif", "binnings: 1 (1), 2 (1)"),
        ("A01 0,5 ms.tif", "A02 2.5ms.tif", "exposures: 0.5 ms (1), 2.5 ms (1)"),
        ("A01_1x1.tif", "A02_2x2.tif", ""),
        ("A01_t100ms.tif", "A01_t200ms.tif", ""),
        ("ax10x.tif", "bx20x.tif", ""),
        ("10x_20x.tif", "20x_10x.tif", ""),
    ],
)
def test_which_words_say_how_an_image_was_taken(first, second, what):
    notes = named_setting_notes([("dna", first), ("dna", second)])
    assert [what in note for note in notes] == ([True] if what else [])


def test_both_channels_are_named_in_one_note(tmp_path):
    names = [f"{m}/A01_{c}.tif" for m in ("10x", "20x") for c in ("dna", "gfp")]
    notes = [note for note in read(put(tmp_path, *names)).notes if "magnifications" in note]
    assert len(notes) == 1
    assert "2 channels (dna, gfp)" in notes[0]
