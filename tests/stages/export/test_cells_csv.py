"""The CSV holds what the table holds."""

import csv

import numpy as np
import polars as pl
import pytest
from tests.stages.export.features import write_features

from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import FormatError, PreflightError
from cellwise.stages.export import _predictions, exporters
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table


def exported(run, path):
    exporters.build("cells_csv")(run, path)
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_one_row_per_cell_with_lists_joined(run, tmp_path):
    rows = exported(run, tmp_path / "out.csv")
    assert [(r["site_id"], r["cell_id"]) for r in rows] == [("s1", "1"), ("s1", "4"), ("s3", "2")]
    assert rows[1]["Labels"] == "Cytosol|Golgi / ER"
    assert (
        rows[0]["Labels"] == rows[2]["Weak_labels"] == rows[0]["Cells_NuclearRingRatio_gfp"] == ""
    )
    assert rows[0]["border"] == "false"


def test_numbers_come_back_as_they_were(run, tmp_path):
    rows = exported(run, tmp_path / "out.csv")
    table = read_table(run.predictions, PREDICTIONS)
    assert list(rows[0]) == [*table.columns, "Abstain"]
    for name in ("Prob_Cytosol", "x", "area"):
        back = pl.Series([float(r[name]) for r in rows]).cast(table.schema[name])
        assert back.to_list() == table[name].to_list()


def test_pieces_make_the_same_file(run, tmp_path, monkeypatch):
    exported(run, tmp_path / "whole.csv")
    monkeypatch.setattr(_predictions, "_ROWS_AT_ONCE", 1)
    exported(run, tmp_path / "pieces.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "pieces.csv").read_bytes()


def test_no_cells_give_the_header(run, tmp_path):
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, table.clear())
    exporters.build("cells_csv")(run, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().strip().split(",") == [*table.columns, "Abstain"]


def test_a_run_without_predictions_is_refused(tmp_path):
    with pytest.raises(PreflightError, match="no predictions"):
        exporters.build("cells_csv")(RunFolder(tmp_path), tmp_path / "out.csv")


def test_a_torn_table_is_named_and_leaves_no_file(run, tmp_path):
    run.predictions.write_bytes(run.predictions.read_bytes()[:300])
    with pytest.raises(FormatError):
        exporters.build("cells_csv")(run, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_measured_features_are_further_columns_empty_where_missing(run, tmp_path):
    write_features(run, ["Cells_AreaShape_Perimeter", "area"], [[1.5, 0.0], [np.nan, 0.0]])
    exporters.build({"name": "cells_csv", "features": True})(run, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    plain = exported(run, tmp_path / "plain.csv")
    assert [row.pop("Cells_AreaShape_Perimeter") for row in rows] == ["", "1.5", ""]
    assert rows == plain, "a column that the table has keeps its own values"


def test_features_of_a_run_that_measured_none_are_refused(run, tmp_path):
    with pytest.raises(PreflightError, match="holds no measured features"):
        exporters.build({"name": "cells_csv", "features": True})(run, tmp_path / "out.csv")


def test_no_cells_have_the_names_of_features_in_the_header(run, tmp_path):
    write_features(run, ["Cells_A", "Cells_B"], [[1, 2], [3, 4]])
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, table.clear())
    exporters.build({"name": "cells_csv", "features": True})(run, tmp_path / "out.csv")
    names = (tmp_path / "out.csv").read_text().strip().split(",")
    assert names == [*table.columns, "Abstain", "Cells_A", "Cells_B"]
