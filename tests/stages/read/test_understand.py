"""Nothing in a folder crashes the reading or is dropped in silence."""

import os
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.stages.read.read_folders import (
    by_id,
    channels,
    codes,
    put,
    put_channels,
    put_colours,
    read,
)

from cellwise.errors import BadOption, InputError, PreflightError, UsageError
from cellwise.stages.read.spec import Options
from cellwise.stages.read.step import understand
from cellwise.store.images.fields import read_field


def test_a_missing_channel_sets_its_site_aside(tmp_path):
    put(tmp_path, *(f"{w}_{c}.png" for w in ("A01", "A02", "A03") for c in ("dna", "gfp")))
    (tmp_path / "A02_gfp.png").unlink()
    reading = read(tmp_path)
    assert reading.status == {"A01": "ok", "A02": "channel_missing", "A03": "ok"}
    (problem,) = reading.problems
    assert problem.site_id == "A02"
    assert problem.set_aside
    assert "gfp" in problem.reason
    assert reading.headers["A02", "dna"]["status"] == "channel_missing"
    assert reading.counts["sites_usable"] == 2


def test_an_additional_channel_is_named_and_its_site_is_kept(tmp_path):
    put(tmp_path, *(f"{w}_{c}.png" for w in ("A01", "A02", "A03") for c in ("dna", "gfp")))
    put(tmp_path, "A02_er.png")
    reading = read(tmp_path)
    assert codes(reading) == ["channel_extra"]
    assert len(reading.usable) == 3
    assert channels(reading) == {"dna": "nucleus", "gfp": "protein"}


def test_two_files_for_one_channel_set_the_site_aside(tmp_path):
    put(tmp_path, "A01_dna.png", "A01_gfp.png", "A02_dna.png", "A02_gfp.png", "a1_DNA.tif")
    reading = read(tmp_path)
    assert reading.status == {"A01": "duplicate_file", "A02": "ok"}
    assert "A01_dna.png and a1_DNA.tif" in reading.problems[0].reason


def test_unequal_sizes_set_the_site_aside(tmp_path):
    put(tmp_path, "A01_dna.png", "A01_gfp.png", "A02_dna.png")
    put(tmp_path, "A02_gfp.png", size=(8, 8))
    assert read(tmp_path).status == {"A01": "ok", "A02": "size_mismatch"}


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
@pytest.mark.parametrize("keep", [0, 0.5, 0.9])
def test_damaged_files_set_their_sites_aside_and_the_others_go_on(tmp_path, ending, keep):
    put(tmp_path, *(f"{w}_{c}.{ending}" for w in ("A01", "A02") for c in ("dna", "gfp")))
    path = tmp_path / f"A02_gfp.{ending}"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    reading = read(tmp_path)
    code = "truncated" if keep else "empty_file"
    assert reading.status == {"A01": "ok", "A02": code}
    assert [(p.path, p.site_id, p.code) for p in reading.problems] == [(path.name, "A02", code)]
    assert reading.counts["unreadable_images"] == 1


def test_colours_where_grey_is_expected_set_the_site_aside(tmp_path):
    put(tmp_path, "A01_dna.png", "A01_gfp.png", "A02_dna.png")
    put_colours(tmp_path, "A02_gfp.png")
    reading = read(tmp_path)
    assert reading.status == {"A01": "ok", "A02": "colour"}
    with pytest.raises(InputError, match="colours"):
        read_field(by_id(reading)["A02"], tmp_path)


def test_a_multichannel_file_under_a_channels_name_is_set_aside(tmp_path):
    put(tmp_path, *(f"{w}_{c}.tif" for w in ("A01", "A02", "A03") for c in ("dna", "gfp")))
    put_channels(tmp_path, "A03_gfp.tif", metadata={"axes": "CYX"}, imagej=True)
    assert read(tmp_path).status["A03"] == "multichannel_file"


def test_nan_is_read_as_zero_and_does_not_set_aside(tmp_path):
    tifffile.imwrite(tmp_path / "A01_dna.tif", np.full((9, 9), np.nan, np.float32))
    (site,) = read(tmp_path).usable
    assert not read_field(site, tmp_path).pixels.any()


def test_stacks_follow_the_setting(tmp_path):
    pixels = np.arange(4 * 6 * 5, dtype=np.uint16).reshape(4, 6, 5)
    for stain in ("dna", "gfp"):
        tifffile.imwrite(
            tmp_path / f"A01_{stain}.tif", pixels, imagej=True, metadata={"axes": "ZYX"}
        )
    highest, middle, refused = (read(tmp_path, stack=s) for s in ("max", "mid", "refuse"))
    for reading, plane in ((highest, 3), (middle, 2)):
        (site,) = reading.usable
        expected = pixels[plane] / np.float32(65535)
        np.testing.assert_allclose(read_field(site, tmp_path).pixels[0], expected, atol=1e-7)
        assert any("are stacks" in note for note in reading.notes)
    assert set(codes(refused)) == {"z_stack"}
    with pytest.raises(BadOption, match="'max', 'mid' or 'refuse'"):
        read(tmp_path, stack="first")


def test_pixel_sizes_come_from_the_files_unless_given(tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.3}
    options: dict[str, Any] = {"ome": True, "metadata": metadata}
    put(tmp_path, "A01_dna.tif", "A01_gfp.tif", "A02_dna.tif", dtype="uint16", **options)
    put(tmp_path, "A02_gfp.tif", "A03_dna.tif", "A03_gfp.tif", dtype="uint16")
    sizes = {site.id: site.pixel_size for site in read(tmp_path).sites}
    assert sizes == {"A01": pytest.approx(0.3), "A02": pytest.approx(0.3), "A03": None}
    metadata["PhysicalSizeX"] = 0.6
    put(tmp_path, "A02_gfp.tif", dtype="uint16", **options)
    reading = read(tmp_path)
    assert by_id(reading)["A02"].pixel_size is None
    assert any("different pixel sizes" in note for note in reading.notes)
    assert {site.pixel_size for site in read(tmp_path, pixel_size=0.5).sites} == {0.5}
    with pytest.raises(BadOption):
        read(tmp_path, pixel_size=-1.0)


def test_roles_are_guessed_and_overridden(tmp_path):
    put(tmp_path, *(f"A01_{c}.png" for c in ("w1", "RFP", "dapi")))
    assert channels(read(tmp_path)) == {"RFP": None, "dapi": "nucleus", "w1": None}
    given = read(tmp_path, roles={"rfp": "actin", "w1": "protein"})
    assert channels(given) == {"RFP": "actin", "dapi": "nucleus", "w1": "protein"}
    with pytest.raises(BadOption, match="Did you mean 'actin'"):
        read(tmp_path, roles={"RFP": "actn"})


def test_site_ids_are_safe_and_unique_and_raw_ids_stay(tmp_path):
    put(tmp_path, "Zellen 1 ä.png", "Zellen_1_ä.png", "<script>x<b>.png", "zellen_1_Ä.png")
    reading = read(tmp_path)
    assert {site.raw_id: site.id for site in reading.sites} == {
        "<script>x<b>": "_script_x_b_",
        "Zellen 1 ä": "Zellen_1__",
        "Zellen_1_ä": "Zellen_1__~2",
        "zellen_1_Ä": "zellen_1__~3",
    }
    lowered = [site.id.lower() for site in reading.sites]
    assert len(set(lowered)) == len(lowered)
    assert all(read_field(site, tmp_path) for site in reading.usable)


def test_masks_hidden_files_and_runs_are_passed_over_and_counted(tmp_path):
    put(tmp_path, "A01_dna.png", "Masks/A01.png", ".hidden.png", "labels/A01.png")
    put(tmp_path, "old.run/crop.png", ".cache/deep/x.png")
    (tmp_path / "old.run" / "run.json").write_text("{}")
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / "README").write_text("x")
    reading = read(tmp_path)
    assert reading.counts["images"] == 1
    assert reading.counts["ignored_files"] == {
        "Masks/": 1,
        "hidden files": 2,
        "labels/": 1,
        "run folders": 2,
    }
    assert reading.counts["other_files"] == {"(no ending)": 1, ".docx": 1}


def test_files_that_fit_no_name_are_listed(tmp_path):
    put(tmp_path, "A01_dna.png", "A01_gfp.png", "A02_dna.png", "A02_gfp.png", "overview.png")
    reading = read(tmp_path)
    (problem,) = reading.problems
    assert (problem.code, problem.path) == ("name_unmatched", "overview.png")


def test_folders_without_images_are_refused_with_what_they_hold(tmp_path):
    with pytest.raises(PreflightError, match="does not exist"):
        read(tmp_path / "none")
    with pytest.raises(PreflightError, match="It is empty"):
        read(tmp_path)
    (tmp_path / "a.czi").write_text("x")
    put(tmp_path, "masks/a.png")
    with pytest.raises(PreflightError, match=r"1 \.czi, 1 in masks/"):
        read(tmp_path)
    with pytest.raises(PreflightError, match="is a file"):
        read(tmp_path / "a.czi")


def test_loops_and_broken_links_end_and_are_listed(tmp_path):
    put(tmp_path, "a/A01_dna.png", "a/A01_gfp.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "A02_dna.png").symlink_to(tmp_path / "gone.png")
    reading = read(tmp_path)
    assert sorted(codes(reading)) == ["folder_twice", "not_found"]
    assert len(reading.usable) == 1


def test_an_unreadable_folder_is_listed(tmp_path, monkeypatch):
    put(tmp_path, "A01_dna.png", "locked/A02_dna.png")
    scandir = os.scandir

    def refuse(path):
        # Root may read every folder, so the refusal is made here.
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reading = read(tmp_path)
    assert [(p.code, p.path) for p in reading.problems] == [("unreadable_folder", "locked/")]


def test_names_that_are_no_text_are_listed(tmp_path):
    put(tmp_path, "A01_dna.png")
    broken = os.fsencode(str(tmp_path)) + b"/A02_\xff.png"
    try:
        with open(broken, "wb") as stream:  # noqa: PTH123
            stream.write(b"x")
    except OSError:
        pytest.skip("this disk takes only UTF-8 names")
    assert codes(read(tmp_path)) == ["name_not_text"]


def test_single_cells_are_refused(tmp_path):
    stack = np.zeros((40, 64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "cells.tif", stack, metadata={"axes": "TYX"})
    with pytest.raises(PreflightError, match="stack of 40 images of single cells"):
        read(tmp_path)
    with pytest.raises(PreflightError, match="stack of 40"):
        read(tmp_path, layout="single_channel")
    put_channels(tmp_path / "crops", *(f"f1_{n}.tif" for n in range(12)), size=(64, 64))
    with pytest.raises(PreflightError, match="images of single cells"):
        read(tmp_path / "crops")
    assert len(read(tmp_path / "crops", layout="multichannel").usable) == 12


def test_the_order_of_files_on_disk_changes_nothing(tmp_path):
    names = [f"{w}_{c}.png" for w in ("A01", "B02", "C03") for c in ("dna", "gfp")]
    for folder, order in (("x", names), ("y", names[::-1])):
        for name in order:
            put(tmp_path / folder, name)
    first, second = read(tmp_path / "x"), read(tmp_path / "y")
    assert first.sites == second.sites
    assert first.channels == second.channels


def test_masks_that_cellpose_wrote_beside_the_images_are_no_fields(tmp_path):
    put(tmp_path, "A01_dna.png", "A02_dna.png")
    for site in ("A01", "A02"):
        mask = np.zeros((8, 8), np.uint16)
        tifffile.imwrite(tmp_path / f"{site}_dna_cp_masks.tif", mask)
    reading = read(tmp_path)
    assert set(reading.status.values()) == {"ok"}
    assert len(reading.status) == 2
    assert reading.counts["ignored_files"] == {"masks of Cellpose": 2}


@pytest.mark.parametrize(
    "names",
    [
        [f"{w}_{c}.png" for w in ("A01", "A02", "B01") for c in ("dna", "gfp")],
        [f"r01c0{w}f01p01-ch{c}sk1fk1fl1.tiff" for w in (1, 2) for c in (1, 2)],
        [f"x{k}_{c}.png" for k in (1, 2, 3) for c in ("blue", "green", "red", "yellow")],
    ],
)
def test_a_reading_that_finds_the_same_fields_is_not_offered(tmp_path, names):
    put(tmp_path, *names)
    assert not any("could also be read" in note for note in read(tmp_path).notes)


def stacks_of_two(folder):
    """Two channels by the files' names, or fields of two pages each."""
    names = [f"{w}_{c}.tif" for w in ("B02", "B03") for c in ("DAPI", "GFP")]
    put_channels(folder, *names, channels=2)


@pytest.mark.parametrize(
    ("make", "taken", "offer"),
    [
        (stacks_of_two, ("well_channel", 2), "multichannel (4 fields)"),
    ],
)
def test_a_reading_that_finds_other_fields_is_offered(tmp_path, make, taken, offer):
    """What is offered is there: taken, it finds as many fields as were said."""
    make(tmp_path)
    reading = read(tmp_path)
    assert (reading.layout, len(reading.sites)) == taken
    (note,) = (note for note in reading.notes if "could also be read" in note)
    assert f"the folder has {taken[1]} fields; it could also be read as {offer}: " in note
    name, count = offer.split()[0], int(offer.split("(")[1].split()[0])
    other = read(tmp_path, layout=name)
    assert (other.layout, len(other.sites)) == (name, count)
    seen = [{(site.id, site.labels) for site in each.sites} for each in (reading, other)]
    assert seen[0] != seen[1]


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    """Roles, intensities and labels are looked at each by itself."""
    for well in ("A01", "A02"):
        for channel in ("dna", "gfp"):
            low = np.full((24, 32), -5000.0 if channel == "gfp" else 3.0, np.float32)
            tifffile.imwrite(tmp_path / f"{well}_{channel}.tif", low, photometric="minisblack")
    (tmp_path / "labels.csv").write_text("key,label\nX9,a\n", encoding="utf-8")
    given: dict[str, Any] = {"labels": str(tmp_path / "labels.csv"), "roles": {"er9": "nucleus"}}
    with pytest.raises(UsageError) as caught:
        read(tmp_path, **given)
    said = str(caught.value)
    assert "er9" in said
    assert "Channel 'gfp'" in said
    assert "labels.csv" in said
    faults = []
    reading = understand(tmp_path, Options(**given), faults=faults)
    assert "\n".join(map(str, faults)) == said
    assert len(reading.sites) == 2
