"""SpatialData: the store's form, the same numbers, and a table that joins the labels."""

import importlib
import json
import warnings

import numpy as np
import pytest
import zarr
from tests.stages.export.any_run import CHANNELS, CLASSES, write_images, write_run

from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import UsageError
from cellwise.stages.export import exporters
from cellwise.store.run.tables import read_table


@pytest.fixture(scope="module")
def anndata():
    # Its import warns about its own dependencies on some machines; that is not ours to fix.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("anndata")


def cells_of(height=12, width=16):
    cells = np.zeros((height, width), np.uint32)
    cells[0:6, 1:8], cells[7:12, 9:16] = 2, 70000
    nuclei = np.zeros_like(cells)
    nuclei[2:4, 3:6] = 2
    return cells, nuclei


def made(tmp_path, fields, **more):
    run = write_run(tmp_path / "run", fields, **more)
    pixels = write_images(run, fields, np.uint16)
    exporters.build("spatialdata")(run, tmp_path / "out.zarr")
    return run, pixels, tmp_path / "out.zarr"


def test_every_field_has_an_image_and_two_labels(tmp_path, anndata):
    fields = {"s1": cells_of(), "s2": cells_of(300, 20), "s3": np.zeros((5, 4), np.uint16)}
    _, pixels, store = made(tmp_path, fields)
    for name, masks in fields.items():
        pair = masks if isinstance(masks, tuple) else (masks, masks)
        found = zarr.open_array(store / "images" / f"{name}_image" / "s0", mode="r")
        np.testing.assert_array_equal(found[:], pixels[name])
        for kind, labels in zip(("cells", "nuclei"), pair, strict=True):
            array = zarr.open_array(store / "labels" / f"{name}_{kind}" / "s0", mode="r")
            np.testing.assert_array_equal(array[:], labels)
    group = zarr.open_group(store, mode="r")
    listed = group["labels"].attrs["ome"]["labels"]
    assert sorted(listed) == sorted(group["labels"].group_keys())
    assert group.attrs["spatialdata_attrs"]["version"] == "0.2"


def test_elements_say_axes_channels_and_their_system(tmp_path, anndata):
    _, _, store = made(tmp_path, {"s1": cells_of(300, 300)})
    said = dict(zarr.open_group(store / "images" / "s1_image", mode="r").attrs)
    assert said["spatialdata_attrs"] == {"version": "0.3"}
    assert [c["label"] for c in said["ome"]["omero"]["channels"]] == [c.name for c in CHANNELS]
    (image,) = said["ome"]["multiscales"]
    assert [axis["name"] for axis in image["axes"]] == ["c", "y", "x"]
    assert [d["path"] for d in image["datasets"]] == ["s0", "s1"]
    (system,) = image["coordinateTransformations"]
    assert (system["type"], system["output"]["name"]) == ("identity", "s1")


def test_the_table_joins_the_labels(tmp_path, anndata):
    fields = {"s1": cells_of(), "s2": cells_of(), "empty": np.zeros((5, 4), np.uint16)}
    run, _, store = made(tmp_path, fields)
    table = anndata.read_zarr(store / "tables" / "table")
    kept = read_table(run.predictions, PREDICTIONS)
    attributes = table.uns["spatialdata_attrs"]
    assert list(attributes["region"]) == ["s1_cells", "s2_cells"]
    assert list(table.obs["region"].cat.categories) == ["s1_cells", "s2_cells"]
    assert table.obs["instance_id"].tolist() == kept["cell_id"].to_list()
    assert table.uns["classes"].tolist() == list(CLASSES)
    expected = kept.select([f"Prob_{name}" for name in CLASSES]).to_numpy()
    np.testing.assert_array_equal(table.obsm["probabilities"], expected)
    assert len(table.uns["class_colours"]) == len(CLASSES)
    for names in (table.obs.columns, table.var_names):
        assert all(set(name) <= set(ALLOWED) for name in names)
    said = dict(zarr.open_group(store / "tables" / "table", mode="r").attrs)
    assert said["spatialdata-encoding-type"] == "ngff:regions_table"
    assert said["encoding-type"] == "anndata"


ALLOWED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


def test_a_run_without_classes_has_a_table_too(tmp_path, anndata):
    _, _, store = made(
        tmp_path, {"s1": cells_of()}, classes=(), metadata={"Well": "A01", "Dose (µM)": "1"}
    )
    table = anndata.read_zarr(store / "tables" / "table")
    assert table.obs["Metadata_Well"].tolist() == ["A01", "A01"]
    assert table.obs["Metadata_Dose___M_"].tolist() == ["1", "1"]
    assert table.X[:, list(table.var_names).index("Cells_AreaShape_Area")].tolist() == [42, 35]


def test_a_run_without_cells_has_no_table(tmp_path, anndata):
    _, _, store = made(tmp_path, {"s1": np.zeros((5, 4), np.uint16)})
    assert not list(zarr.open_group(store / "tables", mode="r").group_keys())


def test_names_that_spatialdata_does_not_take_are_changed_alike(tmp_path, anndata):
    _, _, store = made(tmp_path, {"s1": cells_of(), "s1~2": cells_of()})
    table = anndata.read_zarr(store / "tables" / "table")
    group = zarr.open_group(store, mode="r")
    assert set(table.obs["region"].astype(str)) <= set(group["labels"].group_keys())
    assert "s1--2_cells" in set(table.obs["region"].astype(str))


def test_cells_of_a_field_that_is_lost_are_not_in_the_table(tmp_path, anndata):
    run = write_run(tmp_path / "run", {"s1": cells_of(), "s2": cells_of()})
    write_images(run, {"s2": cells_of()})
    written = exporters.build("spatialdata")(run, tmp_path / "out.zarr")
    assert set(written.lost) == {"s1"}
    table = anndata.read_zarr(tmp_path / "out.zarr" / "tables" / "table")
    assert set(table.obs["region"]) == {"s2_cells"}


@pytest.mark.slow
def test_the_store_says_what_it_is_and_is_replaced(tmp_path, anndata):
    run, _, store = made(tmp_path, {"s1": cells_of()})
    assert not (store / "export.json").exists()
    said = json.loads((store / "zarr.json").read_text())
    assert said["attributes"]["cellwise_export"] == "spatialdata"
    assert "consolidated_metadata" in said
    exporters.build("spatialdata")(run, store)
    other = tmp_path / "other.zarr"
    zarr.open_group(other, mode="w", zarr_format=3, attributes={"mine": 1})
    with pytest.raises(UsageError, match="holds other files"):
        exporters.build("spatialdata")(run, other)
    assert zarr.open_group(other, mode="r").attrs["mine"] == 1
