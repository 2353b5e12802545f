"""OME-Zarr: by the rules of NGFF 0.5, the same numbers, and read again by our own reader."""

import json

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ome_zarr_models.v05.hcs import HCS
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel
from tests.stages.export.any_run import CHANNELS, CLASSES, write_images, write_run

from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError
from cellwise.stages.export import exporters
from cellwise.stages.export._by_field.ngff import ShownChannel, write_image
from cellwise.store.images.ome_zarr import ome_zarr_scenes
from cellwise.store.run.tables import read_table


def cells_of(height=12, width=16):
    cells = np.zeros((height, width), np.uint32)
    cells[0:6, 1:8], cells[7:12, 9:16] = 2, 70000
    nuclei = np.zeros_like(cells)
    nuclei[2:4, 3:6] = 2
    return cells, nuclei


def made(tmp_path, fields, dtype=np.uint8, **more):
    run = write_run(tmp_path / "run", fields, **more)
    pixels = write_images(run, {k: v for k, v in fields.items() if v is not None}, dtype)
    written = exporters.build("ome_zarr")(run, tmp_path / "out")
    return run, pixels, written


def said(folder):
    return json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_numbers_are_those_of_the_files_and_masks(tmp_path, dtype):
    fields = {"s1": cells_of(), "s2": cells_of(20, 31)}
    _, pixels, written = made(tmp_path, fields, dtype)
    assert (written.fields, written.cells) == (2, 4)
    for name, (cells, nuclei) in fields.items():
        folder = tmp_path / "out" / f"{name}.ome.zarr"
        found = zarr.open_array(folder / "0", mode="r")
        assert found.dtype == dtype
        np.testing.assert_array_equal(found[:], pixels[name])
        for kind, labels in (("cells", cells), ("nuclei", nuclei)):
            array = zarr.open_array(folder / "labels" / kind / "0", mode="r")
            np.testing.assert_array_equal(array[:], labels)
            assert array.dtype.kind == "u"


def test_the_rules_of_the_format_hold(tmp_path):
    made(tmp_path, {"s1": cells_of(300, 300)}, pixel_size=0.5)
    folder = zarr.open_group(tmp_path / "out" / "s1.ome.zarr", mode="r")
    axes = Image.from_zarr(folder).attributes.ome.multiscales[0].axes
    assert [(axis.name, axis.unit) for axis in axes[1:]] == [(a, "micrometer") for a in "yx"]
    for kind in ("cells", "nuclei"):
        ImageLabel.from_zarr(folder["labels"][kind])


def test_a_field_without_cells_has_no_empty_lists(tmp_path):
    """The format's schema wants at least one entry in a list of colours or properties."""
    made(tmp_path, {"s1": np.zeros((9, 9), np.uint16)})
    about = said(tmp_path / "out" / "s1.ome.zarr" / "labels" / "cells")["image-label"]
    assert about == {"source": {"image": "../../"}}


def test_labels_have_the_classes_and_colours_of_the_run(tmp_path):
    run, _, _ = made(tmp_path, {"s1": cells_of()})
    about = said(tmp_path / "out" / "s1.ome.zarr" / "labels" / "cells")["image-label"]
    table = read_table(run.predictions, PREDICTIONS)
    for row, told in zip(table.iter_rows(named=True), about["properties"], strict=True):
        assert told["label-value"] == row["cell_id"]
        assert told["class"] == "|".join(row["Labels"])
        for name in CLASSES:
            assert np.float32(told[f"Prob_{name}"]) == np.float32(row[f"Prob_{name}"])
    assert [c["label-value"] for c in about["colors"]] == [2, 70000]
    nuclei = said(tmp_path / "out" / "s1.ome.zarr" / "labels" / "nuclei")["image-label"]
    assert [p["label-value"] for p in nuclei["properties"]] == [2]


def test_a_run_without_classes_leaves_colours_to_the_viewer(tmp_path):
    made(tmp_path, {"s1": cells_of()}, classes=())
    about = said(tmp_path / "out" / "s1.ome.zarr" / "labels" / "cells")["image-label"]
    assert "colors" not in about
    assert about["properties"][0]["area"] == 42


def test_an_unknown_pixel_size_is_not_made_up(tmp_path):
    made(tmp_path, {"s1": cells_of()})
    (image,) = said(tmp_path / "out" / "s1.ome.zarr")["multiscales"]
    assert not any("unit" in axis for axis in image["axes"])


def test_channels_have_names_colours_and_one_contrast(tmp_path):
    made(tmp_path, {"s1": cells_of(), "s2": cells_of()})
    first, second = (said(tmp_path / "out" / f"{s}.ome.zarr")["omero"] for s in ("s1", "s2"))
    assert first == second
    assert [c["label"] for c in first["channels"]] == [c.name for c in CHANNELS]
    for channel in first["channels"]:
        window = channel["window"]
        assert len(channel["color"]) == 6
        assert int(channel["color"], 16) >= 0
        assert window["min"] <= window["start"] < window["end"] <= window["max"]


def test_our_own_reader_gives_the_same_pixels_and_size(tmp_path):
    _, pixels, _ = made(tmp_path, {"s1": cells_of(300, 280)}, np.uint16, pixel_size=0.325)
    (scene,) = ome_zarr_scenes(tmp_path / "out" / "s1.ome.zarr")
    assert scene.axes == "CYX"
    assert scene.channel_names == tuple(c.name for c in CHANNELS)
    assert scene.pixel_size == pytest.approx(0.325)
    np.testing.assert_array_equal(scene.take({}), pixels["s1"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 9))
def test_smaller_copies_are_means_that_lie_where_they_belong(tmp_path_factory, tall, wide, seed):
    pixels = np.random.default_rng(seed).integers(0, 65535, (1, tall, wide), np.uint16)
    folder = tmp_path_factory.mktemp("ngff") / "a.zarr"
    write_image(folder, pixels, [ShownChannel("a", "#ffffff", 0, 1, 0, 1, active=True)], 0.5)
    (image,) = said(folder)["multiscales"]
    for level, entry in enumerate(image["datasets"]):
        found = zarr.open_array(folder / entry["path"], mode="r")[:]
        factor = 2**level
        assert found.shape[1:] == tuple(-(-length // factor) for length in (tall, wide))
        scale, *shift = entry["coordinateTransformations"]
        assert scale["scale"][1:] == [0.5 * factor] * 2
        centre = shift[0]["translation"][1] if shift else 0.0
        assert centre == pytest.approx(np.mean(np.arange(factor)) * 0.5)
        if tall >= factor <= wide:
            block = pixels[0, :factor, :factor].astype(float).mean()
            assert abs(found[0, 0, 0] - block) <= level
    assert max(found.shape[1:]) <= 256


def test_wells_make_plates(tmp_path):
    fields = {f"s{k}": cells_of() for k in range(5)}
    wells = [("P1", "B03"), ("P1", "B03"), ("P1", "A12"), ("P 2", "b3"), ("P 2", "AA01")]
    metadata = {f"s{k}": {"Plate": plate, "Well": well} for k, (plate, well) in enumerate(wells)}
    _, pixels, _ = made(tmp_path, fields, metadata=metadata)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "P1.ome.zarr", "P_2.ome.zarr", "export.json",
    ]  # fmt: skip
    plate = HCS.from_zarr(zarr.open_group(tmp_path / "out" / "P1.ome.zarr", mode="r"))
    assert {well.path for well in plate.attributes.ome.plate.wells} == {"B/3", "A/12"}
    HCS.from_zarr(zarr.open_group(tmp_path / "out" / "P_2.ome.zarr", mode="r"))
    for field, place in (("s0", "P1.ome.zarr/B/3/0"), ("s1", "P1.ome.zarr/B/3/1"),
                         ("s4", "P_2.ome.zarr/AA/1/0")):  # fmt: skip
        found = zarr.open_array(tmp_path / "out" / place / "0", mode="r")[:]
        np.testing.assert_array_equal(found, pixels[field])
        labels = zarr.open_array(tmp_path / "out" / place / "labels" / "cells" / "0", mode="r")
        np.testing.assert_array_equal(labels[:], fields[field][0])


def test_one_field_without_a_well_keeps_all_apart(tmp_path):
    metadata = {"s0": {"Well": "A01"}, "s1": {"Well": "control"}}
    made(tmp_path, {"s0": cells_of(), "s1": cells_of()}, metadata=metadata)
    assert (tmp_path / "out" / "s0.ome.zarr").is_dir()
    assert (tmp_path / "out" / "s1.ome.zarr").is_dir()


def test_images_that_are_gone_are_refused_with_the_cure(tmp_path):
    run = write_run(tmp_path / "run", {"s1": cells_of()})
    with pytest.raises(PreflightError, match="Put the image folder back"):
        exporters.build("ome_zarr")(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_field_whose_image_is_gone_or_of_another_size_is_named(tmp_path):
    fields = {"s1": cells_of(), "s2": cells_of(), "s3": cells_of()}
    run = write_run(tmp_path / "run", fields)
    write_images(run, {"s1": fields["s1"], "s3": cells_of(40, 40)})
    written = exporters.build("ome_zarr")(run, tmp_path / "out")
    assert written.fields == 1
    assert set(written.lost) == {"s2", "s3"}
    assert "several sizes" in written.lost["s3"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["export.json", "s1.ome.zarr"]
    assert set(json.loads((tmp_path / "out" / "export.json").read_text())["lost"]) == {"s2", "s3"}
