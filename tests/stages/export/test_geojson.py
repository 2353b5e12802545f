"""GeoJSON: QuPath's form, valid shapes of the right area, and the same masks when read back."""

import json
import uuid

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from shapely.geometry import shape
from tests.stages.export.any_run import CLASSES, write_run

from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import FormatError, PreflightError, UsageError
from cellwise.kernels.polygons import pixels_inside
from cellwise.stages.export import exporters
from cellwise.store.masks.geojson import read_geojson
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

# What QuPath 0.4 to 0.6 understand below `properties`.
KNOWN = {"objectType", "name", "classification", "measurements", "metadata"}


def two_cells():
    cells = np.zeros((12, 16), np.uint16)
    cells[0:6, 1:8], cells[7:12, 9:16] = 2, 300
    nuclei = np.zeros_like(cells)
    nuclei[2:4, 3:6] = 2
    return cells, nuclei


def exported(run, path):
    exporters.build("geojson")(run, path)
    return {p.stem: json.loads(p.read_text("utf-8")) for p in path.glob("*.geojson")}


def read_again(path, frame):
    """The label images that a run with these outlines as its masks would have."""
    found = []
    for shapes in read_geojson(path):
        image = np.zeros(frame, np.int64)
        for number, one in enumerate(shapes.objects if shapes else (), start=1):
            for rings in one.polygons:
                image[pixels_inside(rings, height=frame[0], width=frame[1])] = number
        found.append(image)
    return found


def test_a_feature_has_what_qupath_reads(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()}, metadata={"Well": "A01"})
    content = exported(run, tmp_path / "out")["s1"]
    assert content["type"] == "FeatureCollection"
    first, second = content["features"]
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    for feature in (first, second):
        assert set(feature) <= {"type", "id", "geometry", "nucleusGeometry", "properties"}
        assert feature["type"] == "Feature"
        assert uuid.UUID(feature["id"])
        assert feature["properties"]["objectType"] == "cell"
        assert set(feature["properties"]) <= KNOWN
        assert all(
            isinstance(v, (int, float)) for v in feature["properties"]["measurements"].values()
        )
        assert all(isinstance(v, str) for v in feature["properties"]["metadata"].values())
    assert "nucleusGeometry" in first
    assert "nucleusGeometry" not in second
    told = first["properties"]["measurements"]
    for name in CLASSES:
        assert np.float32(told[f"Prob_{name}"]) == np.float32(row[f"Prob_{name}"])
    assert told["Cells_AreaShape_Area"] == told["area"] == shape(first["geometry"]).area == 42
    assert "Nuclei_AreaShape_Area" in told
    assert first["properties"]["metadata"]["Metadata_Well"] == "A01"
    assert first["properties"]["metadata"]["cell_id"] == "2"
    assert first["properties"]["metadata"]["border"] == "true"


def test_unknown_numbers_are_left_out(tmp_path):
    cells = np.zeros((4, 4), np.uint16)
    cells[0, 0] = 1
    run = write_run(tmp_path / "run", {"s1": cells})
    (feature,) = exported(run, tmp_path / "out")["s1"]["features"]
    assert "Nuclei_AreaShape_Area" not in feature["properties"]["measurements"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([], None),
        (["Cytosol"], {"name": "Cytosol"}),
        (["Golgi / ER: near"], {"name": "Golgi / ER; near"}),
        (["Cytosol", "Golgi / ER: near"], {"names": ["Cytosol", "Golgi / ER; near"]}),
        (["two\nlines \U0001f9ec"], {"name": "two lines \U0001f9ec"}),
    ],
)
def test_labels_are_classes_of_qupath(tmp_path, labels, told):
    import polars as pl

    from cellwise.store.run.tables import write_table

    run = write_run(tmp_path / "run", {"s1": np.ones((2, 2), np.uint16)})
    table = read_table(run.predictions, PREDICTIONS)
    named = table.with_columns(Labels=pl.Series([labels], dtype=pl.List(pl.String)))
    write_table(run.predictions, PREDICTIONS, named, classes=CLASSES)
    (feature,) = exported(run, tmp_path / "out")["s1"]["features"]
    found = feature["properties"].get("classification")
    if told is None:
        assert found is None
        return
    colour = found.pop("color")
    assert found == told
    assert len(colour) == 3
    assert all(0 <= part <= 255 for part in colour)
    assert feature["properties"]["metadata"]["Labels"] == "|".join(labels)


def test_of_many_classes_the_most_probable_stand_there(tmp_path):
    names = tuple(f"siRNA {k}" for k in range(1108))
    run = write_run(tmp_path / "run", {"s1": two_cells()}, classes=names, top=3)
    first, _ = exported(run, tmp_path / "out")["s1"]["features"]
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    told = {k: v for k, v in first["properties"]["measurements"].items() if k.startswith("Prob_")}
    assert list(told) == [f"Prob_{name}" for name in row["top_classes"]]
    assert [np.float32(v) for v in told.values()] == [np.float32(v) for v in row["top_probs"]]
    assert first["properties"]["classification"]["name"] == row["Labels"][0]


def test_a_run_without_classes_gives_outlines_and_measurements(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()}, classes=())
    first, second = exported(run, tmp_path / "out")["s1"]["features"]
    assert not any(name.startswith("Prob_") for name in first["properties"]["measurements"])
    assert "classification" not in second["properties"]
    assert first["properties"]["measurements"]["area"] == 42


def test_ids_stay_and_go_with_the_masks(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells(), "s2": two_cells()})
    once, again = exported(run, tmp_path / "a"), exported(run, tmp_path / "b")
    assert once == again
    ids = [f["id"] for content in once.values() for f in content["features"]]
    assert len(set(ids)) == 4
    other = (two_cells()[0][::-1].copy(), two_cells()[1])
    changed = exported(write_run(tmp_path / "run2", {"s1": other}), tmp_path / "c")
    assert not {f["id"] for f in changed["s1"]["features"]} & set(ids)


def test_fields_without_cells_and_fields_set_aside(tmp_path):
    empty = np.zeros((5, 5), np.uint16)
    run = write_run(tmp_path / "run", {"s1": two_cells(), "s2": empty, "s3": None})
    told = []
    written = exporters.build("geojson")(run, tmp_path / "out", lambda *word: told.append(word))
    assert (written.fields, written.cells, written.set_aside) == (2, 2, ("s3",))
    assert told == [(1, 2, "s1"), (2, 2, "s2")]
    assert json.loads((tmp_path / "out" / "s2.geojson").read_text())["features"] == []
    assert not (tmp_path / "out" / "s3.geojson").exists()
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    assert facts["set_aside"] == ["s3"]


def test_a_run_of_no_cells_at_all(tmp_path):
    run = write_run(tmp_path / "run", {"s1": np.zeros((3, 3), np.uint16)}, classes=())
    assert exported(run, tmp_path / "out")["s1"]["features"] == []


def test_the_same_export_is_replaced_and_nothing_else(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()})
    out = tmp_path / "out"
    exported(run, out)
    (out / "old.geojson").write_text("{}")
    exported(run, out)
    assert not (out / "old.geojson").exists()
    with pytest.raises(UsageError, match="holds other files"):
        exporters.build("label_tiff")(run, out)
    assert (out / "s1.geojson").exists()


def test_masks_of_another_segmentation_are_noticed(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()})
    other = write_run(tmp_path / "other", {"s1": two_cells()[0] // 2})
    run.predictions.write_bytes(other.predictions.read_bytes())
    with pytest.raises(FormatError, match="s1: cell 1 is not in the masks"):
        exported(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_without_cells_is_refused(tmp_path):
    with pytest.raises(PreflightError, match="holds no cells"):
        exporters.build("geojson")(RunFolder(tmp_path / "none"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    arrays.arrays(
        np.uint32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0, 1, 2, 70000]),
    ),
    st.integers(0, 1000),
)
def test_masks_come_back_as_they_were(tmp_path, cells, seed):
    kept = np.random.default_rng(seed).random(cells.shape) < 0.5
    nuclei = np.where(kept, cells, 0).astype(cells.dtype)
    home = tmp_path / uuid.uuid4().hex
    run = write_run(home / "run", {"s1": (cells, nuclei)}, classes=())
    for feature in exported(run, home / "out")["s1"]["features"]:
        number = int(feature["properties"]["metadata"]["cell_id"])
        check_shape(shape(feature["geometry"]), cells == number)
        if (nuclei == number).any():
            check_shape(shape(feature["nucleusGeometry"]), nuclei == number)
        else:
            assert "nucleusGeometry" not in feature
    back = read_again(home / "out" / "s1.geojson", cells.shape)
    for own, found in zip((cells, nuclei), back, strict=True):
        np.testing.assert_array_equal(found, counted_off(own))


def check_shape(outline, pixels):
    """GEOS, a port of the library of shapes that QuPath uses, finds it valid and these pixels."""
    assert outline.is_valid
    assert outline.area == pixels.sum()
    y, x = np.nonzero(pixels)
    assert shapely.contains_xy(outline, x + 0.5, y + 0.5).all()


def counted_off(labels):
    """The same label image with its numbers 1, 2, ... in their order."""
    return np.where(labels, np.searchsorted(np.unique(labels[labels > 0]), labels) + 1, 0)
