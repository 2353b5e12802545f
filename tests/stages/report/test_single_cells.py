"""Sections on single cells: sets with their promise, reliability, shares and mixtures."""

import json

import numpy as np
import polars as pl
import pytest
from tests.stages.report.test_inherited import _section

from cellwise.app.audit import audit_run, draw_cells, draw_new_cells
from cellwise.domain.tables import PREDICTIONS, SCORES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table


@pytest.fixture
def decided(plate_run):
    """The plate with a decision of two classes, and the scores that it was made from."""
    run = RunFolder(plate_run.run)
    content = json.loads(run.decision("decide").read_text())
    content |= {"classes": ["inside", "Negative"], "negative": "Negative", "scores": ["cell"]}
    run.decision("decide").write_text(json.dumps(content))
    rows = pl.read_parquet(run.predictions).select(
        "unit", "site_id", "cell_id", "fold", "Prob_inside"
    )
    # Twice as sure before they were calibrated.
    stated = rows["Prob_inside"].to_numpy().astype(np.float64)
    logit = 2 * np.log(stated / (1 - stated))
    vector = pl.Series(logit.astype(np.float32)[:, None], dtype=pl.Array(pl.Float32, 1))
    scores = rows.select("unit", "site_id", "cell_id", "fold").with_columns(
        pl.lit("m").alias("model"), vector.alias("score"), vector.alias("spread")
    )
    write_table(run.scores("cell"), SCORES, scores, classes=("inside",))
    return plate_run


def _judge(run, sheet, shows):
    rows = pl.read_csv(sheet, schema_overrides={"classes": pl.String, "who": pl.String})
    words = [shows(row) for row in rows.iter_rows(named=True)]
    rows.with_columns(pl.Series("classes", words)).write_csv(sheet)
    audit_run(run.path, verdicts=sheet)


def test_without_an_audit_nothing_is_promised_and_labels_of_fields_go_by_that_name(decided):
    part = _section(decided, "sets")
    assert "Nothing is promised of single cells" in part
    assert "--draw 1000 --new" in part
    part = _section(decided, "reliability")
    assert "Against labels of fields" in part
    assert "This is no reliability of single cells" in part
    assert "Against cells that a person judged" not in part
    assert ", before " in part


def test_a_class_that_hardly_varies_has_no_share_of_its_spread(decided):
    assert "Within a " in _section(decided, "variability")
    run = RunFolder(decided.run)
    frame = read_table(run.predictions, PREDICTIONS)
    near = pl.Series("Prob_inside", np.linspace(0.3, 0.309, len(frame)), dtype=pl.Float32)
    frame = frame.with_columns(near, (1 - near).alias("Prob_Negative"))
    write_table(run.predictions, PREDICTIONS, frame)
    part = _section(decided, "variability")
    assert "Within a " not in part
    assert "differs by less than 0.01 between all cells: inside" in part


def test_judged_cells_have_diagrams_of_their_own_and_shares_intervals(decided):
    run = RunFolder(decided.run)
    sheet = draw_cells(run.path, 10**6, seed=0)
    _judge(run, sheet, lambda row: "inside" if row["cell_id"] % 2 else "Negative")
    part = _section(decided, "reliability")
    assert "Against cells that a person judged: labelled fields, each by the model" in part
    assert part.index("Against cells that a person judged") < part.index("Against labels of fields")
    assert "judged cells; mean distance" in part
    part = _section(decided, "sets")
    assert "Nothing is promised of single cells" in part


def test_too_few_verdicts_on_new_fields_are_said_to_be_too_few(decided):
    run = RunFolder(decided.run)
    sheet = draw_new_cells(run.path, 10, seed=0)
    _judge(run, sheet, lambda row: "inside")
    part = _section(decided, "sets")
    assert "10 of 10 cells that were drawn from new fields were judged: no class has 20" in part


def test_units_have_shares_and_mixtures_are_named(decided):
    part = _section(decided, "patterns")
    assert "nobody judged cells" in part
    assert "claimed" in part
    assert "Fields that are mixtures" in part
    assert "variability-csv" in part
    assert read_table(RunFolder(decided.run).scores("cell"), SCORES).height > 0
