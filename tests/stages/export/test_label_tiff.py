"""Label images as tifffile and ImageJ's tags say them, and a table that joins them by `label`."""

import csv

import numpy as np
import polars as pl
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.stages.export.any_run import CLASSES, write_run

from cellwise.domain.tables import PREDICTIONS
from cellwise.stages.export import exporters
from cellwise.stages.export.label_tiff import write_label_tiff
from cellwise.store.run.tables import read_table


def two_cells(shape=(12, 16)):
    cells = np.zeros(shape, np.uint32)
    cells[0:6, 1:8], cells[7:12, 9:16] = 2, 70000
    nuclei = np.zeros_like(cells)
    nuclei[2:4, 3:6] = 2
    return cells, nuclei


def exported(run, path):
    exporters.build("label_tiff")(run, path)
    with (path / "cells.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_masks_are_those_of_the_run_in_every_size(tmp_path):
    fields = {"s1": two_cells(), "s2": two_cells((20, 30)), "s3": np.zeros((5, 4), np.uint16)}
    run = write_run(tmp_path / "run", fields, pixel_size={"s1": 0.5})
    exported(run, tmp_path / "out")
    for name, (cells, nuclei) in {**fields, "s3": (fields["s3"], fields["s3"])}.items():
        for kind, labels in (("cells", cells), ("nuclei", nuclei)):
            found = tifffile.imread(tmp_path / "out" / kind / f"{name}.tif")
            np.testing.assert_array_equal(found, labels)
            assert found.dtype == (np.uint32 if labels.max() > 65535 else np.uint16)


def test_the_table_joins_the_images_by_label(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()}, metadata={"Well": "A01"})
    rows = exported(run, tmp_path / "out")
    labels = tifffile.imread(tmp_path / "out" / rows[0]["file"])
    table = read_table(run.predictions, PREDICTIONS)
    for row, kept in zip(rows, table.iter_rows(named=True), strict=True):
        y, x = np.nonzero(labels == int(row["label"]))
        assert float(row["y"]) == pytest.approx(y.mean())
        assert float(row["x"]) == pytest.approx(x.mean())
        assert int(row["area"]) == len(y)
        assert row["class"] == "|".join(kept["Labels"])
        assert row["Metadata_Well"] == "A01"
        for name in CLASSES:
            assert np.float32(row[f"Prob_{name}"]) == np.float32(kept[f"Prob_{name}"])


def test_the_image_of_classes_shows_the_first_label(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells(), "s2": two_cells()}, seed=5)
    rows = exported(run, tmp_path / "out")
    with (tmp_path / "out" / "classes.csv").open(encoding="utf-8", newline="") as handle:
        named = {row["class"]: int(row["value"]) for row in csv.DictReader(handle)}
    assert list(named) == list(CLASSES)
    seen = set()
    for row in rows:
        image = tifffile.imread(tmp_path / "out" / "classes" / f"{row['site_id']}.tif")
        labels = tifffile.imread(tmp_path / "out" / row["file"])
        expected = named[row["class"].split("|")[0]] if row["class"] else 0
        assert np.unique(image[labels == int(row["label"])]).tolist() == [expected]
        assert not image[labels == 0].any()
        seen.add(expected)
    assert len(seen) > 1


def test_a_run_without_classes_has_no_files_of_them(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()}, classes=(), metadata={"Plate": 'P, "1"'})
    (first, _) = exported(run, tmp_path / "out")
    assert not (tmp_path / "out" / "classes").exists()
    assert not (tmp_path / "out" / "classes.csv").exists()
    assert first["class"] == ""
    assert first["Metadata_Plate"] == 'P, "1"'
    assert first["Nuclei_AreaShape_Area"] == "3.5"


def test_top_probabilities_have_a_column_per_class(tmp_path):
    names = tuple(f"siRNA {k}" for k in range(100))
    run = write_run(tmp_path / "run", {"s1": two_cells()}, classes=names, top=4)
    rows = exported(run, tmp_path / "out")
    table = read_table(run.predictions, PREDICTIONS)
    for row, kept in zip(rows, table.iter_rows(named=True), strict=True):
        told = {n: row[f"Prob_{n}"] for n in names if row[f"Prob_{n}"]}
        assert set(told) == set(kept["top_classes"])


@pytest.mark.parametrize("top", [300, 70000])
def test_the_pixel_size_stands_where_readers_look(tmp_path, top):
    labels = np.zeros((4, 5), np.uint32)
    labels[1, 2] = top
    write_label_tiff(tmp_path / "known.tif", labels, 0.325)
    write_label_tiff(tmp_path / "unknown.tif", labels, None)
    with tifffile.TiffFile(tmp_path / "known.tif") as file:
        page = file.pages[0]
        over, under = page.tags["XResolution"].value
        per_unit = over / under
        if top < 65536:
            assert file.is_imagej
            assert file.imagej_metadata["unit"] == "um"
            assert 1 / per_unit == pytest.approx(0.325, rel=1e-5)
        else:
            assert page.tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
            assert 1e4 / per_unit == pytest.approx(0.325, rel=1e-5)
    with tifffile.TiffFile(tmp_path / "unknown.tif") as file:
        assert "unit" not in (file.imagej_metadata or {})
        assert file.pages[0].tags["ResolutionUnit"].value == tifffile.RESUNIT.NONE


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(
        np.uint32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.integers(0, 2**32 - 1),
    )
)
def test_any_numbers_come_back(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("labels") / "a.tif"
    write_label_tiff(path, labels, 0.1)
    np.testing.assert_array_equal(tifffile.imread(path), labels)


def test_the_table_reads_as_numbers(tmp_path):
    run = write_run(tmp_path / "run", {"s1": two_cells()})
    exported(run, tmp_path / "out")
    frame = pl.read_csv(tmp_path / "out" / "cells.csv")
    assert frame["label"].to_list() == [2, 70000]
    assert frame["Prob_Cytosol"].dtype == pl.Float64
