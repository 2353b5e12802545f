"""The same command again, and with one word changed."""

import json
import shutil

import polars as pl
import pytest
from tests.faults.fault_runs import left_on_disk
from tests.plates import QUICK

import cellwise
from cellwise.app.audit import draw_cells
from cellwise.app.clean import clean_run
from cellwise.domain.tables import CURATION
from cellwise.store.run.tables import write_table

pytestmark = [pytest.mark.long, pytest.mark.slow]


@pytest.fixture
def copy(finished, plate, tmp_path):
    """A copy of the finished run that a test may change."""
    shutil.copytree(finished.path, tmp_path / "run")
    return tmp_path / "run"


def states(run):
    record = json.loads((run / "run.json").read_text())
    return {f"{step['kind']}-{step['name']}": step["state"] for step in record["steps"]}


def again(plate, copy, *settings):
    return cellwise.run(
        plate / "images",
        labels=plate / "labels.csv",
        out=copy,
        settings=(*QUICK, *settings),
        seed=3,
    )


def test_the_same_command_again_does_nothing(plate, copy):
    before = (copy / "predictions.parquet").read_bytes()
    again(plate, copy)
    assert set(states(copy).values()) == {"reused"}
    assert (copy / "predictions.parquet").read_bytes() == before


def test_what_came_after_a_run_was_made_redoes_nothing_and_verdicts_only_the_page(plate, copy):
    sites = cellwise.open_run(copy).cells["site_id"].unique().to_list()
    frame = pl.DataFrame(
        {
            "site_id": sites, "same_as": sites, "teaches": [False] * len(sites),
            "reason": ["of another recipe"] * len(sites), "brightest": [1.0] * len(sites),
            "flags": [["dim"]] * len(sites),
        }
    )  # fmt: skip
    write_table(copy / "curation.parquet", CURATION, frame)
    again(plate, copy)
    assert set(states(copy).values()) == {"reused"}
    (copy / "annotations").mkdir()
    (copy / "annotations" / "draw.json").write_text('{"seed": 0, "cells": [], "drawn": []}')
    again(plate, copy)
    assert {name for name, state in states(copy).items() if state == "done"} == {"report-report"}


def test_another_threshold_learns_nothing_anew(plate, copy):
    again(plate, copy, "decide.threshold=0.4")
    done = {name for name, state in states(copy).items() if state == "done"}
    assert done == {"decide-decide", "decide-control", "evaluate-evaluate", "report-report"}


def test_another_number_of_epochs_segments_nothing_anew(plate, copy):
    again(plate, copy, "cell.epochs=4")
    done = states(copy)
    assert done["segment-segment"] == done["cells-cells"] == done["train-control"] == "reused"
    assert done["train-cell"] == done["score-cell"] == "done"


def test_a_cleaned_run_reports_and_resumes_without_learning_again(plate, copy):
    before = left_on_disk(copy)
    assert set(clean_run(copy).redone) == {"cells"}
    report = cellwise.open_run(copy).rebuild_report()
    assert "Nuclear" in report.read_text(encoding="utf-8")
    again(plate, copy)
    assert {name for name, state in states(copy).items() if state == "done"} == {"cells-cells"}
    assert left_on_disk(copy) == before


def test_verdicts_that_probabilities_are_fitted_to_redo_the_decision_and_what_follows(plate, copy):
    sheet = draw_cells(copy, 60, seed=0)

    names = json.loads((copy / "reading.json").read_text())["classes"]["names"]

    def judge(every):
        said = pl.when(pl.int_range(pl.len()) % every == 0).then(pl.lit(names[0]))
        rows = pl.read_csv(sheet, infer_schema=False)
        rows.with_columns(classes=said.otherwise(pl.lit(names[1]))).write_csv(sheet)

    judge(2)
    asked = f"decide.annotations={sheet}"
    again(plate, copy, asked)
    assert states(copy)["decide-decide"] == "done"

    def reused():
        before = ("segment", "cells", "train", "score")
        return {s for name, s in states(copy).items() if name.startswith(before)} == {"reused"}

    assert reused()
    said = json.loads((copy / "run.json").read_text())["steps"]
    counts = {step["name"]: step["counts"] for step in said if step["kind"] == "decide"}
    assert counts["decide"]["audit"]["cells"] == 60
    again(plate, copy, asked)
    assert set(states(copy).values()) == {"reused"}
    judge(3)
    again(plate, copy, asked)
    assert states(copy)["decide-decide"] == "done"
    assert reused()
