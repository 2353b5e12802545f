"""Prediction sets: only cells of fields that no model learned from, drawn at random, promise."""

import csv
import json

import numpy as np
import polars as pl
import pytest
from tests.app.audit.runs import EACH, FIELDS, make_run
from typer.testing import CliRunner

from cellwise.app.audit import audit_run, draw_cells, draw_new_cells
from cellwise.app.cli import app
from cellwise.app.cli.audit._screen import sets_lines
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError, UsageError
from cellwise.measures.prediction_sets import promise_of
from cellwise.stages.export import exporters
from cellwise.stages.export.anndata import annotated
from cellwise.store.annotations.draws import NEW, read_draw
from cellwise.store.annotations.new_cells import new_cells, new_draw
from cellwise.store.run.tables import read_table, write_table

CELLS = (len(FIELDS) + 1) * EACH


def _decided(run, *, fitted=None):
    """A decision beside the predictions; with `fitted`, a run that applies another's models."""
    run.decision("decide").parent.mkdir(exist_ok=True)
    names = {"classes": ["a", "b", "c", "none"], "negative": "none"}
    run.decision("decide").write_text(json.dumps(names))
    run.record.write_text(json.dumps({"inputs": {"fitted": fitted}, "recipe": {"steps": []}}))
    frame = read_table(run.predictions, PREDICTIONS)
    none = 1 - pl.max_horizontal("Prob_a", "Prob_b", "Prob_c")
    write_table(run.predictions, PREDICTIONS, frame.with_columns(none.alias("Prob_none")))


def _filled(run, truth, *, first=10**6, word=lambda word: word):
    sheet = run.annotations / f"{NEW}.csv"
    with sheet.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows[:first]:
        row["classes"] = word(truth[row["site_id"], int(row["cell_id"])])
    path = run.path / "filled.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


@pytest.fixture
def applied(audited):
    """A run that applies another's models: all its cells are new."""
    _decided(audited[0], fitted="elsewhere")
    return audited


def test_only_fields_that_taught_no_model_are_drawn_from(audited):
    run = audited[0]
    _decided(run)
    assert set(new_cells(run).rows["site_id"]) == {"u"}
    draw_new_cells(run.path, 1000, seed=0)
    assert len(read_draw(run, NEW).drawn) == EACH
    assert read_draw(run) is None
    draw_cells(run.path, 30, seed=0)
    assert "u" not in set(read_draw(run).drawn["site_id"])


def test_cells_at_the_border_or_out_of_focus_are_not_spoken_of(applied):
    run = applied[0]
    frame = read_table(run.predictions, PREDICTIONS)
    edge = (pl.col("cell_id") == 1).alias("border")
    soft = pl.when(pl.col("cell_id") == 2).then(["out_of_focus"]).otherwise([]).alias("flags")
    write_table(run.predictions, PREDICTIONS, frame.with_columns(edge, soft))
    cells = new_cells(run)
    assert (len(cells.rows), cells.left_out) == (CELLS * 10 // EACH, CELLS * 2 // EACH)
    assert set(cells.rows["cell_id"]) == set(range(3, EACH + 1))


def test_a_judged_draw_promises_what_its_cells_hold_across_fields(applied):
    run, truth, _, _ = applied
    draw_new_cells(run.path, 1000, seed=0)
    found = audit_run(run.path, verdicts=_filled(run, truth))
    new = found["sets"]["new"]
    assert (new["drawn"], new["judged"], new["groups"]) == (CELLS, CELLS, len(FIELDS) + 1)
    by_name = {one["class"]: one for one in new["classes"]}
    # Nobody saw c: nothing is promised of it.
    assert by_name["c"]["may"] is None
    assert by_name["c"]["why"] == "fewer than 20 judged cells show it"
    assert by_name["a"]["why"] == ""
    said = "\n".join(sets_lines(found["sets"]))
    assert "90 % of what cells of such fields show of 3 of 4 classes is in their sets" in said
    shown = sum(one["shown"] for one in new["classes"])
    assert f"{shown:,} of {shown:,} shown by judged cells are of these classes" in said
    assert 0 < by_name["a"]["may"] < 1
    assert by_name["none"]["shown"] == sum(word == "none" for word in truth.values())
    assert new["covered"]["low"] <= 0.9 <= new["covered"]["high"]
    assert new["promise"], new["why"]
    assert promise_of(new_draw(run)).may[0] == by_name["a"]["may"]


def test_what_no_set_holds_is_no_part_of_the_promise(applied):
    """Many cells of a class in two fields: no threshold, though there are enough of them."""
    run, truth, _, _ = applied
    few = sorted({name for name, _ in truth})[:2]
    of_two = {cell: "c" if cell[0] in few else word for cell, word in truth.items()}
    draw_new_cells(run.path, 1000, seed=0)
    sets = audit_run(run.path, verdicts=_filled(run, of_two))["sets"]
    (one,) = (one for one in sets["new"]["classes"] if one["class"] == "c")
    assert (one["shown"], one["groups"], one["may"]) == (2 * EACH, 2, None)
    said = "\n".join(sets_lines(sets))
    assert one["why"] == "the judged cells that show it are of fewer than 10 groups"
    rest = sum(other["shown"] for other in sets["new"]["classes"]) - 2 * EACH
    assert f"{rest:,} of {rest + 2 * EACH:,} shown by judged cells are of these classes" in said


def test_exports_hold_what_cells_may_show_and_nothing_for_those_at_a_border(applied, tmp_path):
    run, truth, _, _ = applied
    frame = read_table(run.predictions, PREDICTIONS)
    edge = (pl.col("cell_id") == 1).alias("border")
    write_table(run.predictions, PREDICTIONS, frame.with_columns(edge))
    exporters.build("cells_csv")(run, tmp_path / "before.csv")
    before = pl.read_csv(tmp_path / "before.csv")
    assert "May_show" not in before.columns
    assert before.filter(pl.col("Abstain") == "border")["cell_id"].unique().to_list() == [1]
    draw_new_cells(run.path, 1000, seed=0)
    sets = audit_run(run.path, verdicts=_filled(run, truth))["sets"]["new"]
    exporters.build("cells_csv")(run, tmp_path / "after.csv")
    rows = pl.read_csv(tmp_path / "after.csv").to_dicts()
    may = {one["class"]: one["may"] for one in sets["classes"] if one["may"] is not None}
    for row in rows:
        wanted = [name for name, least in may.items() if row[f"Prob_{name}"] >= least]
        assert (row["May_show"] or "") == ("" if row["Abstain"] else "|".join(wanted))
    held = [
        name in (row["May_show"] or "").split("|")
        for row in rows
        if not row["Abstain"]
        for name in truth[row["site_id"], row["cell_id"]].split("|")
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    assert set(annotated(run).obs.columns) >= {"Abstain", "May_show", "Surely_shows"}


def test_an_audit_holds_for_what_is_predicted_with_the_run(audited, tmp_path):
    home, truth, _, _ = audited
    _decided(home, fitted="elsewhere")
    draw_new_cells(home.path, 1000, seed=0)
    audit_run(home.path, verdicts=_filled(home, truth))
    (tmp_path / "later").mkdir()
    run = make_run(tmp_path / "later")[0]
    _decided(run, fitted=str(home.path))
    exporters.build("cells_csv")(run, tmp_path / "out.csv")
    assert "May_show" in pl.read_csv(tmp_path / "out.csv").columns
    # A run that decides otherwise by now gives nothing.
    home.decision("decide").write_text(json.dumps({"classes": ["a", "none"], "negative": "none"}))
    exporters.build("cells_csv")(run, tmp_path / "out.csv")
    assert "May_show" not in pl.read_csv(tmp_path / "out.csv").columns


def test_too_few_verdicts_and_none_promise_nothing_and_say_so(applied):
    run, truth, _, _ = applied
    draw_new_cells(run.path, 1000, seed=0)
    assert "no class has 20 judged cells" in audit_run(run.path)["sets"]["new"]["why"]
    found = audit_run(run.path, verdicts=_filled(run, truth, first=15))["sets"]["new"]
    assert (found["promise"], found["judged"]) == (False, 15)
    assert "no class has 20 judged cells" in found["why"]
    assert promise_of(new_draw(run)) is None
    told = CliRunner().invoke(app, ["audit", str(run.path)])
    assert "no promise of prediction sets: no class has" in told.stdout


def test_verdicts_on_cells_of_labelled_fields_promise_nothing(audited, tmp_path):
    run, truth, _, _ = audited
    _decided(run)
    draw_cells(run.path, 10**6, seed=0)
    with (run.annotations / "draw.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    filled = [{**row, "classes": truth[row["site_id"], int(row["cell_id"])]} for row in rows]
    pl.DataFrame(filled).write_csv(tmp_path / "v.csv")
    sets = audit_run(run.path, verdicts=tmp_path / "v.csv")["sets"]
    assert sets["new"] is None
    assert sets["folds"]["judged"] == len(FIELDS) * EACH
    # And of labels of fields, under that name alone.
    assert sets["fields"]["judged"] == len(FIELDS)
    draw_new_cells(run.path, 1000, seed=0)
    assert audit_run(run.path)["sets"]["new"]["judged"] == 0


def test_wrong_scores_are_seen_by_the_audit_and_sets_grow(applied):
    run, truth, _, _ = applied
    draw_new_cells(run.path, 1000, seed=0)
    good = audit_run(run.path, verdicts=_filled(run, truth))["sets"]["new"]
    frame = read_table(run.predictions, PREDICTIONS)
    random = np.random.default_rng(0)
    noise = [pl.Series(f"Prob_{name}", random.random(len(frame))) for name in ("a", "b")]
    write_table(run.predictions, PREDICTIONS, frame.with_columns(noise))
    bad = audit_run(run.path)["sets"]["new"]
    assert bad["size"] > good["size"] + 0.3
    assert bad["covered"]["value"] == pytest.approx(0.9, abs=0.05)


def test_what_cannot_be_audited_is_refused(audited):
    run = audited[0]
    with pytest.raises(PreflightError, match="no predictions"):
        draw_new_cells(run.path, 10, seed=0)
    _decided(run)
    frame = read_table(run.predictions, PREDICTIONS).filter(pl.col("site_id") != "u")
    write_table(run.predictions, PREDICTIONS, frame)
    with pytest.raises(PreflightError, match="a model learned from every field"):
        draw_new_cells(run.path, 10, seed=0)
    write_table(run.predictions, PREDICTIONS, frame.drop("Prob_c"))
    with pytest.raises(PreflightError, match="probability of each class"):
        draw_new_cells(run.path, 10, seed=0)


def test_the_command_draws_from_new_fields(applied):
    run = applied[0]
    path = str(run.path)
    assert isinstance(CliRunner().invoke(app, ["audit", path, "--new"]).exception, UsageError)
    drawn = CliRunner().invoke(app, ["audit", path, "--draw", "200", "--new"])
    assert drawn.exit_code == 0
    assert f"{NEW}.csv: 200 cells\n" in drawn.stdout
    again = CliRunner().invoke(app, ["audit", path, "--draw", "200", "--new"])
    assert isinstance(again.exception, PreflightError)
