"""Which file of the user's folder is the mask of which field."""

import json

import numpy as np
import pytest
import tifffile

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.store.masks.imported import GivenMasks

ONE, TWO = np.full((4, 5), 1, np.uint16), np.full((4, 5), 2, np.uint16)


def site(name="a", *files, raw=None):
    channels = tuple(
        ChannelFile(Channel(f"c{number}"), (path,)) for number, path in enumerate(files)
    )
    return Site(name, raw or name, channels)


def same(found, labels):
    return np.array_equal(found, labels)


def put(folder, name, labels=ONE):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.suffix.lower()
    if ending in (".npy", ".npz"):
        with path.open("wb") as stream:
            (np.save if ending == ".npy" else np.savez_compressed)(stream, labels)
    else:
        tifffile.imwrite(path, labels)
    return path


def square(name="x"):
    ring = [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}


def coco(folder, name="coco.json", files=("a.png",), category="cell"):
    content = {
        "images": [{"id": n, "file_name": f} for n, f in enumerate(files)],
        "annotations": [
            {"image_id": n, "category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 3]]}
            for n in range(len(files))
        ],
        "categories": [{"id": 1, "name": category}],
    }
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize(
    "name",
    [
        *("a.npy", "a.npz", "a_masks.npz", "a_cells.npy", "cells/a.tif", "hpa_cell_mask/a.npz"),
        *(
            "raw.tif",
            "deep/raw.npz",
            "img_w1_cp_masks.tif",
            "plate/img_w1_masks.tif",
            "a_nuclei.npz",
        ),
    ],
)
def test_each_usual_name_is_found(tmp_path, name):
    put(tmp_path, name)
    load = GivenMasks(tmp_path, [site("a", "plate/img_w1.tif", raw="deep/raw")])
    assert load.matches_any()
    found = load("a")
    assert same(found.cells, ONE)
    assert found.nuclei is None


@pytest.mark.parametrize(
    ("cells", "nuclei"),
    [
        ("a_cells.npz", "a_nuclei.tif"),
        ("cells/a.npy", "nuclei/a.npy"),
        ("hpa_cell_mask/a.npz", "hpa_nuclei_mask/a.npz"),
    ],
)
def test_cells_and_nuclei_are_found_as_two_files(tmp_path, cells, nuclei):
    put(tmp_path, cells, ONE)
    put(tmp_path, nuclei, TWO)
    found = GivenMasks(tmp_path, [site()])("a")
    assert same(found.cells, ONE)
    assert same(found.nuclei, TWO)


@pytest.mark.parametrize("name", ["a.geojson", "a.json", "a_cells.geojson"])
def test_a_file_of_outlines_is_found_by_the_fields_name(tmp_path, name):
    (tmp_path / name).write_text(json.dumps([square()]))
    found = GivenMasks(tmp_path, [site()])("a")
    assert len(found.cells.objects) == 1


@pytest.mark.parametrize("file", ["a.png", "plate/img.tif", "img.tif", "x/a.tif"])
def test_one_coco_file_serves_all_fields(tmp_path, file):
    coco(tmp_path, files=(file, "other.png"))
    load = GivenMasks(tmp_path, [site("a", "plate/img.tif"), site("b", "b.tif")])
    assert load.matches_any()
    assert len(load("a").cells.objects) == 1
    assert load("b") is None


def test_a_coco_file_named_after_its_only_image_is_taken(tmp_path):
    coco(tmp_path, "a.json", files=("whatever.png",))
    assert len(GivenMasks(tmp_path, [site()])("a").cells.objects) == 1
    coco(tmp_path, "a.json", files=("one.png", "two.png"))
    with pytest.raises(InputError, match="none of this name"):
        GivenMasks(tmp_path, [site()])("a")


def test_two_coco_files_about_one_field_are_refused(tmp_path):
    coco(tmp_path, "one.json")
    coco(tmp_path, "two.json")
    with pytest.raises(InputError, match=r"one\.json and two\.json") as caught:
        GivenMasks(tmp_path, [site()])("a")
    assert caught.value.code == "mask_ambiguous"


def test_masks_named_after_two_images_of_a_field_are_refused(tmp_path):
    put(tmp_path, "w1_cp_masks.tif")
    load = GivenMasks(tmp_path, [site("a", "w1.tif", "w2.tif")])
    assert same(load("a").cells, ONE)
    put(tmp_path, "w2_cp_masks.tif", TWO)
    with pytest.raises(InputError, match="masks for w1 and for w2") as caught:
        GivenMasks(tmp_path, [site("a", "w1.tif", "w2.tif")])("a")
    assert caught.value.code == "mask_ambiguous"
    put(tmp_path, "a_cells.tif")
    assert GivenMasks(tmp_path, [site("a", "w1.tif", "w2.tif")])("a") is not None


def test_an_image_beside_its_mask_is_not_taken_for_one(tmp_path):
    put(tmp_path, "a.tif", TWO)
    fields = [site("a", "a.tif")]
    load = GivenMasks(tmp_path, fields, images=tmp_path)
    assert load("a") is None
    assert not load.matches_any()
    put(tmp_path, "a_cp_masks.tif", ONE)
    for images in (tmp_path, None):
        assert same(GivenMasks(tmp_path, fields, images=images)("a").cells, ONE)


def test_a_mask_that_was_read_as_an_image_too_is_still_a_mask(tmp_path):
    put(tmp_path, "a.tif", TWO)
    put(tmp_path, "a_cp_masks.tif", ONE)
    fields = [site("a", "a.tif"), site("a_cp_masks", "a_cp_masks.tif")]
    load = GivenMasks(tmp_path, fields, images=tmp_path)
    assert same(load("a").cells, ONE)
    assert load("a_cp_masks") is None


def test_an_editor_file_is_the_last_resort_and_needs_leave(tmp_path):
    np.save(tmp_path / "a_seg.npy", np.array({"masks": TWO}, dtype=object))
    assert GivenMasks(tmp_path, [site()]).matches_any()
    with pytest.raises(InputError, match="pickle"):
        GivenMasks(tmp_path, [site()])("a")
    assert same(GivenMasks(tmp_path, [site()], allow_pickle=True)("a").cells, TWO)
    put(tmp_path, "a.tif", ONE)
    assert same(GivenMasks(tmp_path, [site()])("a").cells, ONE)


def test_a_foreign_or_missing_folder_matches_nothing(tmp_path):
    put(tmp_path, "somebody_else.tif")
    (tmp_path / "notes.json").write_text('{"made": "by hand"}')
    assert not GivenMasks(tmp_path, [site()]).matches_any()
    assert not GivenMasks(tmp_path / "absent", [site()]).matches_any()


def test_a_torn_json_file_does_not_hide_the_masks_of_others(tmp_path):
    (tmp_path / "torn.json").write_text("{")
    put(tmp_path, "a.tif")
    load = GivenMasks(tmp_path, [site(), site("b")])
    assert load("a") is not None
    with pytest.raises(InputError, match=r"torn\.json"):
        load("b")


@pytest.mark.parametrize("meaning", [None, "ZYX", "CYX", "TYX"])
def test_a_stack_of_images_is_refused_and_never_flattened(tmp_path, meaning):
    more = {"imagej": True, "metadata": {"axes": meaning}} if meaning else {}
    tifffile.imwrite(tmp_path / "a.tif", np.stack([ONE, TWO]), photometric="minisblack", **more)
    with pytest.raises(InputError, match="2 images") as caught:
        GivenMasks(tmp_path, [site()])("a")
    assert caught.value.code == "mask_values"
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["a.TIF", "a_cells.Npy", "a.NPZ", "cells/a.TIFF"])
def test_the_case_of_an_ending_does_not_matter(tmp_path, name):
    put(tmp_path, name)
    load = GivenMasks(tmp_path, [site()])
    assert load.matches_any()
    assert same(load("a").cells, ONE)


@pytest.mark.parametrize("name", ["a.GeoJSON", "a.JSON"])
def test_the_case_of_an_ending_does_not_matter_for_outlines(tmp_path, name):
    (tmp_path / name).write_text(json.dumps([square()]))
    assert len(GivenMasks(tmp_path, [site()])("a").cells.objects) == 1


def test_a_coco_file_in_capitals_is_found(tmp_path):
    coco(tmp_path, "COCO.JSON")
    assert len(GivenMasks(tmp_path, [site()])("a").cells.objects) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a_cells.tif", "a_cells.npy"),
        ("a_nuclei.tif", "a_nuclei.TIFF"),
        ("a.tif", "a.npz"),
        ("cells/a.tif", "cells/a.TIF"),
    ],
)
def test_two_files_of_one_name_are_refused(tmp_path, first, second):
    put(tmp_path, first)
    assert GivenMasks(tmp_path, [site()])("a") is not None
    put(tmp_path, second)
    load = GivenMasks(tmp_path, [site()])
    assert load.matches_any()
    with pytest.raises(InputError, match=f"{first} and {second}|{second} and {first}") as caught:
        load("a")
    assert caught.value.code == "mask_ambiguous"


def test_a_mask_in_colours_is_refused_with_a_cure_for_masks(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    with pytest.raises(InputError) as found:
        GivenMasks(tmp_path, [site()])("a")
    assert found.value.code == "colour"
    assert "numbers of the cells" in found.value.remedy
    assert "read.colours" not in found.value.remedy
