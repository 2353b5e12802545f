"""Masks that the user brings, through a whole run: taken, refused in time, kept on record."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from tests.faults.fault_runs import record, run
from tests.worlds import plate

from cellwise.errors import BadOption, PreflightError
from cellwise.store.run.masks import read_masks

# Rough boxes that lie on no cell.
TAKEN = "segment.implausible=take"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return plate(tmp_path_factory.mktemp("given") / "images", 2)


@pytest.fixture
def masks(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    return folder


def segmented(images, out, masks, *settings):
    return run(images, out, "cells.crops=false", *settings, masks=masks, recipe="segment-only")


def test_a_folder_that_fits_no_field_is_refused_before_any_is_segmented(images, tmp_path, masks):
    tifffile.imwrite(masks / "B12_cells.tif", np.zeros((96, 96), np.uint8))
    with pytest.raises(PreflightError, match=r"fits any of the 2 fields \(A01, A02") as caught:
        segmented(images, tmp_path / "out.run", masks)
    assert caught.value.exit_code == 4
    assert "B12_cells.tif" in str(caught.value)
    assert not (tmp_path / "out.run" / "masks").exists()


def test_an_empty_folder_a_file_and_a_torn_file_of_outlines_are_refused(images, tmp_path, masks):
    out = tmp_path / "out.run"
    with pytest.raises(PreflightError, match="there is nothing"):
        segmented(images, out, masks)
    (masks / "coco.json").write_text("{")
    with pytest.raises(PreflightError, match="cannot be read as JSON"):
        segmented(images, out, masks)
    with pytest.raises(PreflightError, match="is a file"):
        segmented(images, out, masks / "coco.json")


def test_wrong_settings_of_given_stop_before_any_work(images, tmp_path, masks):
    out = tmp_path / "out.run"
    for setting in ("segment.resize=bilinear", "segment.allow_pickle=perhaps"):
        with pytest.raises(BadOption, match=setting.partition("=")[0].removeprefix("segment.")):
            segmented(images, out, masks, setting)
    with pytest.raises(BadOption, match="--masks DIR"):
        segmented(images, out, None, "segment.name=given")
    assert not out.exists()


def test_one_coco_file_is_taken_for_all_fields_and_overlaps_are_on_record(images, tmp_path, masks):
    boxes = [[10, 10, 30, 10, 30, 30, 10, 30], [20, 20, 60, 20, 60, 60, 20, 60]]
    names = sorted(path.name for path in images.iterdir())
    wells = [name for name in names if name.endswith("_DNA.png")]
    content = {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(wells)],
        "categories": [{"id": 5, "name": "cell"}],
        "annotations": [
            {"id": n, "image_id": n % 2, "category_id": 5, "segmentation": [boxes[n // 2]]}
            for n in range(4)
        ],
    }
    (masks / "annotations.json").write_text(json.dumps(content))
    out = tmp_path / "out.run"
    assert segmented(images, out, masks, TAKEN).exit_code == 0
    cells = read_masks(out / "masks", "A01").cells
    assert cells[25, 25] == 1
    assert np.bincount(cells.ravel()).tolist()[1:] == [400, 1500]
    lines = (out / "done" / "segment.jsonl").read_text().splitlines()
    found = {row["site"]: row["counts"] for row in map(json.loads, lines)}
    assert found["A01"]["overlapped_pixels"] == 100
    assert record(out)["counts"]["cells"] == 4


def test_a_field_without_mask_is_set_aside_and_the_rest_goes_on(images, tmp_path, masks):
    labels = np.zeros((48, 48), np.uint16)
    labels[10:20, 10:20] = 70_000 % 65_536
    np.savez_compressed(masks / "A01.npz", labels)
    out = tmp_path / "out.run"
    assert segmented(images, out, masks, "segment.resize=nearest", TAKEN).exit_code == 3
    assert np.count_nonzero(read_masks(out / "masks", "A01").cells) == 400
    assert "mask_missing" in (out / "quarantine.csv").read_text()


def test_masks_beside_the_images_are_found_and_images_are_no_masks(images, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(images, both)
    with pytest.raises(PreflightError, match="No file in"):
        segmented(both, tmp_path / "one.run", both)
