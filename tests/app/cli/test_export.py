"""`cellwise export` of folders: what it says, and with which code it ends."""

import json

import numpy as np
import polars as pl
import pytest
from tests.stages.export.any_run import write_images, write_run
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.domain.tables import ANNOTATIONS
from cellwise.store.annotations.saves import save
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import empty_frame


@pytest.fixture
def run(tmp_path):
    cells = np.zeros((8, 8), np.uint16)
    cells[1:4, 1:4] = 1
    run = write_run(tmp_path / "run", {"s1": cells, "s2": cells, "gone": None}, classes=())
    run.record.write_text(json.dumps({"status": "done"}))
    return run.path


def judge(run, site, cell):
    row = {"site_id": site, "cell_id": cell, "class": "a", "verdict": "yes", "who": "ann"}
    row |= {"mask_key": "k", "outline": [0, 0, 2], "x": 1.0, "y": 1.0, "drawn": "queue"}
    row |= {"when": "2026-01-01", "model_said": 0.5}
    frame = pl.DataFrame([row]).select(list(ANNOTATIONS.columns))
    save(run, frame.cast(empty_frame(ANNOTATIONS).schema))


def invoke(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


@pytest.mark.parametrize("name", ["geojson", "label-tiff", "cellprofiler-csv"])
def test_a_run_without_labels_is_exported_too(run, tmp_path, name):
    result = invoke(run, "--to", name, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"wrote {tmp_path / 'out'}" in result.output
    assert "2 fields · 2 cells" in result.output
    assert "1 field has no masks, as the run set them aside: gone" in result.output
    assert json.loads((tmp_path / "out" / "export.json").read_text())["cells"] == 2


def test_images_that_are_gone_end_with_three_and_are_named(run, tmp_path):
    write_images(RunFolder(run), {"s1": np.zeros((8, 8), np.uint16)})
    result = invoke(run, "--to", "ome-zarr", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "1 field could not be written:\n  s2: " in result.output
    assert (tmp_path / "out" / "s1.ome.zarr").is_dir()


def test_tables_of_predictions_still_need_predictions(run, tmp_path):
    result = invoke(run, "--to", "cells-csv", "--out", tmp_path / "out.csv")
    assert result.exit_code == 4 or "no predictions" in str(result.exception)
    assert not (tmp_path / "out.csv").exists()


def test_cells_that_people_judged_are_said(run, tmp_path):
    assert "judged by" not in invoke(run, "--to", "geojson", "--out", tmp_path / "out").output
    judge(RunFolder(run), "s1", 1)
    result = invoke(run, "--to", "geojson", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "1 cell was judged by people" in result.output
    assert "Verdict_yes, Verdict_no and Verdict_unsure" in result.output
    other = invoke(run, "--to", "label-tiff", "--out", tmp_path / "tiff")
    assert str(run / "annotations" / "annotations.parquet") in other.output


def test_a_folder_of_other_files_stays(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    result = invoke(run, "--to", "geojson", "--out", tmp_path / "out")
    assert "holds other files" in str(result.exception)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]
