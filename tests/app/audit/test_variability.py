"""The table of variability between cells: units, classes, who tells how often claims are right."""

import csv
import json

import numpy as np
import polars as pl
import pytest
from tests.app.audit.runs import EACH, FIELDS
from typer.testing import CliRunner

from cellwise.app.audit import audit_run, draw_cells
from cellwise.app.cli import app
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError
from cellwise.store.run.tables import read_table, write_table


@pytest.fixture
def run(audited):
    """The run with labels of cells, a decision, and two samples."""
    folder = audited[0]
    folder.decision("decide").parent.mkdir()
    names = {"classes": ["a", "b", "c", "none"], "negative": "none"}
    folder.decision("decide").write_text(json.dumps(names))
    folder.record.write_text(json.dumps({"inputs": {}, "recipe": {"steps": []}}))
    frame = read_table(folder.predictions, PREDICTIONS)
    labels = {**{site: list(given) for site, given in FIELDS.items()}, "u": None}
    claimed = pl.concat_list(
        *(pl.when(pl.col(f"Prob_{n}") >= 0.5).then(pl.lit(n)) for n in "abc")
    ).list.drop_nulls()
    sample = pl.when(pl.col("site_id") < "f12").then(pl.lit("early")).otherwise(pl.lit("late"))
    frame = frame.with_columns(
        (1 - pl.max_horizontal("Prob_a", "Prob_b", "Prob_c")).alias("Prob_none"),
        claimed.alias("Labels"),
        pl.Series("Weak_labels", [labels[site] for site in frame["site_id"]]),
        sample.alias("Metadata_Sample"),
        pl.lit("TP53").alias("Metadata_Protein"),
    )
    write_table(folder.predictions, PREDICTIONS, frame)
    return audited


def _export(run, path):
    words = ["export", str(run.path), "--to", "variability-csv", "--out", str(path)]
    return CliRunner().invoke(app, words)


def _table(run, path):
    done = _export(run, path)
    assert done.exit_code == 0, done.output
    return pl.read_csv(path)


def test_every_unit_and_class_has_a_row_with_bounds_before_an_audit(run, tmp_path):
    found = _table(run[0], tmp_path / "v.csv")
    units = found.group_by("level", maintain_order=True).agg(pl.col("unit").n_unique())
    assert units.rows() == [("field", 25), ("sample", 2), ("protein", 1)]
    assert len(found) == 28 * 4
    assert found["by"].unique().to_list() == ["bounds"]
    assert found["share"].null_count() == len(found)
    row = found.filter((pl.col("unit") == "f00") & (pl.col("class") == "b")).row(0, named=True)
    assert (row["labels"], row["cells"]) == ("a|b", EACH)
    assert (row["low"], row["high"]) == (round(1 / EACH, 4), 1.0)
    without = found.filter(pl.col("unit") == "u")
    assert without["labels"].null_count() == 4
    assert without["low"].to_list() == [0.0] * 4


def test_judged_cells_give_shares_near_the_truth(run, tmp_path):
    folder, truth, _, _ = run
    draw_cells(folder.path, 10**6, seed=0)
    with (folder.annotations / "draw.csv").open(encoding="utf-8") as handle:
        rows = [
            {**r, "classes": truth[r["site_id"], int(r["cell_id"])]} for r in csv.DictReader(handle)
        ]
    pl.DataFrame(rows).write_csv(tmp_path / "said.csv")
    audit_run(folder.path, verdicts=tmp_path / "said.csv")
    found = _table(folder, tmp_path / "v.csv")
    fields = found.filter((pl.col("level") == "field") & (pl.col("class") == "a"))
    told = fields.filter(pl.col("unit") != "u")
    assert set(told["by"]) == {"audit"}
    # No draw from new fields: nothing tells how often claims are right there.
    assert fields.filter(pl.col("unit") == "u")["by"].to_list() == ["bounds"]
    true = [
        np.mean([w == "a" or w.startswith("a|") for (s, _), w in truth.items() if s == unit])
        for unit in told["unit"]
    ]
    held = [low <= t <= high for low, high, t in zip(told["low"], told["high"], true, strict=True)]
    assert np.mean(held) > 0.75
    assert told["share"].mean() == pytest.approx(np.mean(true), abs=0.05)
    assert found.filter(pl.col("class") == "c")["by"].unique().to_list() == ["bounds"]


def test_cells_at_the_border_are_not_counted_and_no_class_is_refused(run, tmp_path):
    folder = run[0]
    frame = read_table(folder.predictions, PREDICTIONS)
    edge = frame.with_columns((pl.col("cell_id") <= 2).alias("border"))
    write_table(folder.predictions, PREDICTIONS, edge)
    fields = _table(folder, tmp_path / "v.csv").filter(pl.col("level") == "field")
    assert fields["cells"].unique().to_list() == [EACH - 2]
    without = frame.drop([name for name in frame.columns if name.startswith("Prob_")])
    write_table(folder.predictions, PREDICTIONS, without)
    done = CliRunner().invoke(
        app,
        ["export", str(folder.path), "--to", "variability-csv", "--out", str(tmp_path / "w.csv")],
    )
    assert isinstance(done.exception, PreflightError)
    write_table(folder.predictions, PREDICTIONS, frame.clear())
    assert len(_table(folder, tmp_path / "x.csv")) == 0
