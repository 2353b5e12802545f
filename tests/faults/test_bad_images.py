"""One bad image costs itself: the others go on, it is listed with its reason, nothing is lost."""

import os

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.faults.fault_runs import cells, quarantine, reading, record, run
from tests.worlds import field, labels, plate, save, wells

from cellwise.errors import PreflightError

COLUMNS = ["path", "stage", "code", "reason", "remedy"]


@pytest.fixture
def images(tmp_path):
    return plate(tmp_path / "images", 4)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.run"


def go(images, out, *settings, **options) -> tuple[int, list[dict[str, str]]]:
    """Run, check that nothing was lost, and give exit code and rows of the quarantine."""
    outcome = run(images, out, *settings, **options)
    rows = quarantine(out)
    assert all(list(row) == COLUMNS and row["reason"] for row in rows)
    facts = {step["kind"]: step["counts"] for step in record(out)["steps"]}
    assert (
        facts["read"]["sites_usable"] + facts["read"]["sites_set_aside"] == (facts["read"]["sites"])
    )
    assert (
        facts["segment"]["sites"] + facts["segment"]["set_aside"] == (facts["read"]["sites_usable"])
    )
    assert facts["cells"]["sites"] + facts["cells"]["set_aside"] == facts["segment"]["sites"]
    return outcome.exit_code, rows


def only_a01_is_aside(code, rows, out, *, named):
    assert code == 3
    assert [row["code"] for row in rows] == [named]
    assert rows[0]["path"].startswith("A01")
    assert rows[0]["remedy"]
    assert set(cells(out)["site_id"]) == {"A02", "A03", "A04"}


def shorten(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
def test_a_truncated_image_is_set_aside(tmp_path, out, ending, part):
    images = plate(tmp_path / "images", 4, ending=ending)
    shorten(images / f"A01_GFP{ending}", part)
    code, rows = go(images, out)
    named = rows[0]["code"]
    only_a01_is_aside(code, rows, out, named=named)
    assert named in ("truncated", "unreadable")


@pytest.mark.parametrize("compression", ["zlib", "lzw"])
def test_a_truncated_compressed_tiff_is_set_aside(images, out, compression):
    plane = np.array(Image.open(images / "A01_GFP.png"))
    for well in wells(4):
        (images / f"{well}_GFP.png").unlink()
        save(images / f"{well}_GFP.tif", plane, compression=compression)
    shorten(images / "A01_GFP.tif", 0.7)
    code, rows = go(images, out)
    only_a01_is_aside(code, rows, out, named=rows[0]["code"])


def test_an_image_damaged_inside_is_set_aside(images, out):
    path = images / "A01_DNA.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    code, rows = go(images, out)
    only_a01_is_aside(code, rows, out, named=rows[0]["code"])


def test_a_file_of_zero_bytes_is_set_aside(images, out):
    (images / "A01_DNA.png").write_bytes(b"")
    only_a01_is_aside(*go(images, out), out, named="empty_file")


def test_a_text_called_png_is_set_aside(images, out):
    (images / "A01_DNA.png").write_text("this is not an image")
    only_a01_is_aside(*go(images, out), out, named="unreadable")


def test_a_missing_channel_sets_its_site_aside(images, out):
    (images / "A01_GFP.png").unlink()
    only_a01_is_aside(*go(images, out), out, named="channel_missing")


def test_a_channel_that_only_one_site_has_is_listed_and_not_used(images, out):
    save(images / "A01_RFP.png", np.zeros((96, 96), np.uint8))
    code, rows = go(images, out)
    assert (code, rows) == (0, [])
    assert "channel_extra" in reading(out)["counts"]["problems"]


def test_colours_where_grey_is_expected_set_a_site_aside(images, out):
    colours = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(colours).save(images / "A01_GFP.png")
    only_a01_is_aside(*go(images, out), out, named="colour")


def test_channels_of_different_size_set_a_site_aside(images, out):
    save(images / "A01_GFP.png", np.zeros((90, 96), np.uint8))
    only_a01_is_aside(*go(images, out), out, named="size_mismatch")


def test_two_files_for_one_channel_set_a_site_aside(images, out):
    pixels = np.array(Image.open(images / "A01_GFP.png"))
    save(images / "A01_GFP.tif", pixels)
    only_a01_is_aside(*go(images, out), out, named="duplicate_file")


def test_wells_that_are_one_well_in_other_writing_are_found(images, out):
    field(images, "A1", 9)
    code, rows = go(images, out)
    assert code == 3
    assert {row["code"] for row in rows} == {"duplicate_file"}
    assert set(cells(out)["site_id"]) == {"A02", "A03", "A04"}


def test_names_that_differ_only_in_forbidden_letters_stay_two_sites(tmp_path, out):
    images = tmp_path / "images"
    for number, plate_name in enumerate(["run 1", "run+1"]):
        field(images / plate_name, "A01", number)
    code, _ = go(images, out)
    assert code == 0
    assert cells(out)["site_id"].unique().sort().to_list() == ["run_1_A01", "run_1_A01~2"]


def float_plate(images, first):
    for number, well in enumerate(wells(4)):
        for channel in ("DNA", "GFP"):
            pixels = np.array(Image.open(images / f"{well}_{channel}.png")) / np.float32(255)
            (images / f"{well}_{channel}.png").unlink()
            tifffile.imwrite(
                images / f"{well}_{channel}.tif", first(pixels) if number == 0 else pixels
            )
    return images


def test_not_a_number_is_flagged_and_every_measurement_stays_finite(images, out):
    def spoil(pixels):
        pixels[10:20, 10:20] = np.nan
        pixels[0, 0] = np.inf
        return pixels

    code, rows = go(float_plate(images, spoil), out)
    assert (code, rows) == (0, [])
    assert record(out)["steps"][1]["counts"]["sites_flagged"] >= 1
    numbers = cells(out).select("^Cells_.*$").to_numpy()
    assert np.isfinite(numbers[~np.isnan(numbers)]).all()
    intensities = cells(out).select("^Cells_Intensity.*$").to_numpy()
    assert np.isfinite(intensities).all()


def test_an_image_of_nothing_but_not_a_number_has_no_cells(images, out):
    code, _ = go(float_plate(images, lambda pixels: np.full_like(pixels, np.nan)), out)
    assert code == 0
    assert "A01" not in set(cells(out)["site_id"])


@pytest.mark.parametrize("level", [0, 17])
def test_a_constant_image_is_flagged_and_has_no_cells(images, out, level):
    for channel in ("DNA", "GFP"):
        save(images / f"A01_{channel}.png", np.full((96, 96), level, np.uint8))
    code, rows = go(images, out)
    assert (code, rows) == (0, [])
    counts = {step["kind"]: step["counts"] for step in record(out)["steps"]}
    assert counts["segment"]["channels_flagged"] >= 2
    assert counts["cells"]["sites_without_cells"] == 1
    assert set(cells(out)["site_id"]) == {"A02", "A03", "A04"}


def test_an_image_whose_every_pixel_is_clipped_is_set_aside(images, out):
    for channel in ("DNA", "GFP"):
        save(images / f"A01_{channel}.png", np.full((96, 96), 255, np.uint8))
    code, rows = go(images, out)
    assert code == 3
    assert "255" in rows[0]["reason"]
    assert set(cells(out)["site_id"]) == {"A02", "A03", "A04"}


def test_a_plate_without_any_cell_ends_well_and_again(tmp_path, out):
    images = tmp_path / "images"
    for well in wells(2):
        for channel in ("DNA", "GFP"):
            save(images / f"{well}_{channel}.png", np.full((96, 96), 9, np.uint8))
    for _ in range(2):
        code, rows = go(images, out)
        assert (code, rows) == (0, [])
        assert cells(out).height == 0
    assert record(out)["counts"] == {"sites": 2, "cells": 0, "quarantined": 0}


def test_five_thousand_cells_in_one_field(tmp_path, out):
    generator = np.random.default_rng(0)
    side = 72
    pixels = generator.normal(8, 1, (side * 10, side * 10))
    y, x = np.mgrid[:10, :10]
    spot = 120 * (np.hypot(y - 4.5, x - 4.5) < 3)
    pixels += np.tile(spot, (side, side))
    plane = np.clip(pixels, 0, 255).astype(np.uint8)
    for channel in ("DNA", "GFP"):
        save(tmp_path / "images" / f"A01_{channel}.png", plane)
    code, rows = go(tmp_path / "images", out)
    assert (code, rows) == (0, [])
    assert 5000 <= cells(out).height <= side**2
    crops = np.load(next((out / "crops").glob("*.npy")), mmap_mode="r")
    assert crops.shape == (cells(out).height, 2, 24, 24)


def test_labels_for_absent_images_and_images_without_label_are_counted(images, out, tmp_path):
    file = labels(tmp_path / "labels.csv", 3)
    with file.open("a") as handle:
        handle.write("H12,Nuclear\n")
    code, rows = go(images, out, labels=file)
    assert (code, rows) == (0, [])
    counts = reading(out)["counts"]
    assert counts["labels_without_image"] == 1
    assert counts["images_without_label"] == 1
    assert any("H12" in problem["reason"] for problem in reading(out)["problems"])


def test_two_labels_for_one_well_are_listed(images, out, tmp_path):
    file = labels(tmp_path / "labels.csv", 4)
    with file.open("a") as handle:
        handle.write("A01,Negative\n")
    code, _ = go(images, out, labels=file)
    assert code == 0
    assert reading(out)["counts"]["problems"] == {"label_contradiction": 1}


def test_a_loop_of_links_ends_and_is_listed(images, out):
    (images / "again").symlink_to(images, target_is_directory=True)
    (images / "broken.png").symlink_to(images / "nowhere.png")
    code, rows = go(images, out)
    assert code == 3
    assert {row["path"] for row in rows} == {"again/", "broken.png"}
    assert set(cells(out)["site_id"]) == {"A01", "A02", "A03", "A04"}


def test_a_name_with_markup_reaches_the_tables_whole(tmp_path, out):
    images = tmp_path / "images"
    name = "<script>alert(1)<&script>"
    field(images / name, "A01", 0)
    field(images / "plain", "A01", 1)
    (images / name / "A02_DNA.png").write_bytes(b"")
    code, rows = go(images, out)
    assert code == 3
    assert any(row["path"] == f"{name}/A02_DNA.png" for row in rows)
    assert cells(out)["site_id"].unique().sort().to_list() == [
        "_script_alert_1___script__A01",
        "plain_A01",
    ]


def test_a_folder_without_images_is_refused(tmp_path, out):
    (tmp_path / "images").mkdir()
    with pytest.raises(PreflightError, match="holds no image"):
        run(tmp_path / "images", out)


def test_a_folder_of_which_nothing_can_be_used_is_refused_with_reasons(tmp_path, out):
    images = plate(tmp_path / "images", 2)
    for path in images.iterdir():
        path.write_bytes(b"")
    with pytest.raises(PreflightError, match="zero bytes"):
        run(images, out)
    assert record(out)["status"] == "failed"


def test_a_repaired_image_is_taken_in(images, out):
    whole = (images / "A01_GFP.png").read_bytes()
    shorten(images / "A01_GFP.png", 0.5)
    assert go(images, out)[0] == 3
    (images / "A01_GFP.png").write_bytes(whole)
    assert go(images, out) == (0, [])
    assert set(cells(out)["site_id"]) == {"A01", "A02", "A03", "A04"}


def test_an_image_that_goes_bad_after_a_run_is_set_aside_in_the_next(images, out):
    assert go(images, out)[0] == 0
    os.utime(images / "A01_GFP.png", ns=(1, 1))
    shorten(images / "A01_GFP.png", 0.5)
    code, rows = go(images, out)
    only_a01_is_aside(code, rows, out, named=rows[0]["code"])
