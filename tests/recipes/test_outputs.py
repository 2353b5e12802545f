"""The stable outputs of a run, as other programs read them."""

import csv
import json

import numpy as np
import polars as pl
import pytest
import tifffile

from cellwise.store.run.folder import RunFolder

pytestmark = [pytest.mark.long, pytest.mark.slow]

FIXED = ["unit", "part", "fold", "site_id", "cell_id", "x", "y", "area", "border"]
LAST = ["Labels", "Weak_labels", "Uncertainty"]


def test_predictions_hold_the_pinned_columns(finished):
    cells = pl.read_parquet(finished.path / "predictions.parquet")
    assert set(FIXED + LAST) <= set(cells.columns)
    assert {"Prob_Nuclear", "Prob_Negative", "Metadata_Well", "Metadata_Replicate"} <= set(
        cells.columns
    )
    assert {"Cells_Intensity_Mean_gfp", "Cells_NuclearRingRatio_gfp"} <= set(cells.columns)
    assert not {"shard", "row"} & set(cells.columns)
    assert set(cells["unit"]) == {"cell"}
    assert set(cells["part"]) == {"train", "unlabelled"}
    assert cells.schema["Prob_Nuclear"] == pl.Float32
    assert cells.select("site_id", "cell_id").equals(
        cells.select("site_id", "cell_id").sort("site_id", "cell_id")
    )


def test_probabilities_uncertainty_and_labels_agree(finished):
    cells = finished.cells
    p = cells["Prob_Nuclear"].to_numpy().astype(float)
    np.testing.assert_allclose(cells["Prob_Negative"].to_numpy(), 1 - p, atol=1e-6)
    q = np.clip(p, 1e-12, 1 - 1e-12)
    entropy = -(q * np.log2(q) + (1 - q) * np.log2(1 - q))
    np.testing.assert_allclose(cells["Uncertainty"].to_numpy(), entropy, atol=1e-3)
    for chance, labels in zip(p, cells["Labels"].to_list(), strict=True):
        assert ("Nuclear" in labels) == (np.float32(chance) >= 0.5)


def test_labelled_wells_are_out_of_fold_and_groups_stay_whole(finished):
    cells = finished.cells.filter(pl.col("part") == "train")
    assert cells["fold"].null_count() == 0
    assert (cells.group_by("Metadata_Replicate").agg(pl.col("fold").n_unique())["fold"] == 1).all()


def test_the_model_finds_what_was_drawn(finished):
    wells = finished.wells.filter(pl.col("n_cells") > 0)
    column = "Mean_Nuclear"
    treated = [int(well[1:]) % 2 == 0 for well in wells["Metadata_Well"]]
    means = wells[column].to_numpy()
    assert means[treated].min() > means[~np.array(treated)].max()


def test_masks_are_label_images_with_one_number_per_cell(finished):
    site = finished.cells["site_id"][0]
    cells = tifffile.imread(finished.path / "masks" / f"{site}_cells.tif")
    nuclei = tifffile.imread(finished.path / "masks" / f"{site}_nuclei.tif")
    assert cells.dtype in (np.uint16, np.uint32)
    assert ((nuclei == 0) | (nuclei == cells)).all()
    listed = finished.cells.filter(pl.col("site_id") == site)["cell_id"].to_list()
    assert listed == sorted(set(np.unique(cells)) - {0})


def test_metrics_name_value_interval_n_and_unit(finished):
    content = json.loads((finished.path / "metrics.json").read_text())
    assert set(content) == {"metrics"}
    for metric in content["metrics"].values():
        assert set(metric) == {"value", "low", "high", "n", "unit"}
    assert "well_macro_ap" in content["metrics"]


def test_the_run_states_what_it_was_made_from(finished, plate):
    record = json.loads(RunFolder(finished.path).record.read_text())
    assert record["status"] == "done"
    assert record["seed"] == 3
    assert record["inputs"]["labels_sha256"]
    assert record["counts"] == {"sites": 11, "cells": finished.cells.height, "quarantined": 1}
    assert [step["name"] for step in record["steps"]][:4] == ["read", "segment", "cells", "split"]
    train = next(s for s in record["recipe"]["steps"] if s["kind"] == "train")
    assert train["options"]["epochs"] == 10


def test_the_torn_file_is_set_aside_with_its_reason(finished):
    with (finished.path / "quarantine.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [list(row) for row in rows] == [["path", "stage", "code", "reason", "remedy"]]
    assert rows[0]["path"].endswith("A11_gfp.png")
    assert rows[0]["code"] == "truncated"
    assert rows[0]["remedy"]


def test_the_control_model_has_tables_of_its_own(finished):
    control = pl.read_parquet(finished.path / "predictions_control.parquet")
    assert control.height == finished.cells.height


def test_the_report_is_one_small_file(finished):
    report = finished.path / "report.html"
    assert 10_000 < report.stat().st_size < 15_000_000
    assert "http://" not in report.read_text().replace("http://www.w3.org", "")
