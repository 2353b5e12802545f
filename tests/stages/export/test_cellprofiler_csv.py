"""CellProfiler's tables: the places and areas that scikit-image finds, joined by number."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.measure import regionprops
from tests.stages.export.any_run import CLASSES, write_run

from cellwise.domain.tables import PREDICTIONS
from cellwise.stages.export import exporters
from cellwise.store.run.tables import read_table

CENTRE = ["Location_Center_Y", "Location_Center_X"]
BOX = [
    f"AreaShape_BoundingBox{end}_{axis}" for end in ("Minimum", "Maximum") for axis in ("Y", "X")
]


def two_cells():
    cells = np.zeros((12, 16), np.uint16)
    cells[0:6, 1:8], cells[7:12, 9:16] = 2, 300
    nuclei = np.zeros_like(cells)
    nuclei[2:4, 3:6] = 2
    return cells, nuclei


def exported(run, path):
    exporters.build("cellprofiler_csv")(run, path)
    return {name: pl.read_csv(path / f"{name}.csv") for name in ("Image", "Cells", "Nuclei")}


def test_tables_join_by_image_and_object(tmp_path):
    fields = {"s1": two_cells(), "s2": np.zeros((4, 4), np.uint16), "s3": two_cells()}
    run = write_run(tmp_path / "run", fields, metadata={"Well": "A01"})
    tables = exported(run, tmp_path / "out")
    image = tables["Image"]
    assert image["ImageNumber"].to_list() == [1, 2, 3]
    assert image["Count_Cells"].to_list() == [2, 0, 2]
    assert image["Count_Nuclei"].to_list() == [1, 0, 1]
    assert image["Metadata_SiteId"].to_list() == ["s1", "s2", "s3"]
    assert image["FileName_dna"].to_list() == [f"s{k}_dna.png" for k in (1, 2, 3)]
    assert tables["Cells"].select("ImageNumber", "ObjectNumber").rows() == [
        (1, 2), (1, 300), (3, 2), (3, 300),
    ]  # fmt: skip
    assert tables["Cells"]["Children_Nuclei_Count"].to_list() == [1, 0, 1, 0]
    nuclei = tables["Nuclei"].join(
        tables["Cells"],
        left_on=["ImageNumber", "Parent_Cells"],
        right_on=["ImageNumber", "ObjectNumber"],
    )
    assert nuclei.height == 2
    assert set(nuclei["Metadata_Well"]) == {"A01"}
    assert nuclei["AreaShape_Area"].to_list() == [6, 6]


def test_classes_are_flags_and_probabilities(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells(), "s2": two_cells()})
    tables = exported(run, tmp_path / "out")
    kept = read_table(run.predictions, PREDICTIONS)
    for name in CLASSES:
        has = kept["Labels"].list.contains(name)
        assert tables["Cells"][f"Classify_{name}"].to_list() == has.cast(int).to_list()
        found = tables["Cells"][f"Prob_{name}"].cast(pl.Float32)
        assert found.to_list() == kept[f"Prob_{name}"].to_list()
        counts = kept.with_columns(has=has).group_by("site_id").agg(pl.sum("has")).sort("site_id")
        assert tables["Image"][f"Classify_{name}_NumObjectsPerBin"].to_list() == (
            counts["has"].to_list()
        )


def test_measurements_lose_the_name_of_their_object(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()}, classes=())
    tables = exported(run, tmp_path / "out")
    assert tables["Cells"].columns.count("AreaShape_Area") == 1
    assert not [name for name in tables["Cells"].columns if name.startswith(("Cells_", "Prob_"))]
    assert "Classify_Uncertainty" not in tables["Cells"].columns


def test_of_many_classes_there_is_a_column_of_names(tmp_path):
    names = tuple(f"siRNA {k}" for k in range(1108))
    run = write_run(tmp_path / "run", {"s1": two_cells()}, classes=names, top=3)
    cells = exported(run, tmp_path / "out")["Cells"]
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    assert len(cells.columns) < 30
    assert cells["Classify_Labels"][0] == row["Labels"][0]
    pairs = [pair.split("=") for pair in cells["Classify_Top"][0].split("|")]
    assert [name for name, _ in pairs] == row["top_classes"]
    assert [np.float32(p) for _, p in pairs] == [np.float32(p) for p in row["top_probs"]]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    arrays.arrays(
        np.uint16,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0, 1, 2, 40]),
    )
)
def test_places_are_those_of_scikit_image(tmp_path_factory, labels):
    home = tmp_path_factory.mktemp("cp")
    run = write_run(home / "run", {"s1": (labels, labels)}, classes=())
    tables = exported(run, home / "out")
    for name in ("Cells", "Nuclei"):
        rows = tables[name].iter_rows(named=True)
        for row, truth in zip(rows, regionprops(labels.astype(int)), strict=True):
            assert row["ObjectNumber"] == truth.label
            assert row["AreaShape_Area"] == truth.area
            assert [row[key] for key in CENTRE] == pytest.approx(truth.centroid, rel=1e-6)
            assert [row[key] for key in BOX] == list(truth.bbox)
