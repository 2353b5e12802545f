"""From a draw to shares: only cells that were drawn at random count; else nothing is said."""

import csv
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.app.audit.runs import EACH, FIELDS, mask
from typer.testing import CliRunner

from cellwise.app.audit import audit_run, draw_cells
from cellwise.app.cli import app
from cellwise.domain.plain_words import BEYOND_BOUNDS
from cellwise.domain.records import Masks
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError
from cellwise.measures.inherited import _beyond
from cellwise.store.annotations.draws import read_draw
from cellwise.store.run.masks import write_masks
from cellwise.store.run.tables import empty_frame, write_table


@pytest.fixture
def run(audited):
    return audited


def _fill(run, truth, path, *, first=10**6, change=lambda row: row):
    """The sheet with what its first cells show."""
    with (run.annotations / "draw.csv").open(encoding="utf-8") as sheet:
        rows = list(csv.DictReader(sheet))
    for row in rows[:first]:
        row["classes"] = truth[row["site_id"], int(row["cell_id"])]
        row["who"] = "ann"
    pl.DataFrame([change(row) for row in rows]).write_csv(path)
    return path


def _true(has, shown, column):
    has, shown = has[:, column], shown[:, column]
    return (~shown[has]).mean(), shown[~has].sum() / shown.sum()


def test_without_judged_cells_there_are_bounds_and_no_share(run):
    found = audit_run(run[0].path)
    a, b, c = found["classes"]
    # 18 fields have a, 6 of them b beside it.
    assert (a["fields"], a["inherited"], a["false_at_least"], a["false_at_most"]) == (
        18, 18 * EACH, 6, 18 * EACH - 18,
    )  # fmt: skip
    assert (b["fields"], b["false_at_least"]) == (6, 6)
    assert (c["inherited"], c["false_at_most"]) == (0, 0)
    assert a["false"] is a["missed"] is b["false"] is None
    shown = CliRunner().invoke(app, ["audit", str(run[0].path)])
    assert shown.exit_code == 0
    assert "%" not in shown.stdout
    assert "if each cell also shows one class only" in shown.stdout


def test_every_cell_judged_gives_what_is_true(run, tmp_path):
    folder, truth, has, shown = run
    draw_cells(folder.path, 10**6, seed=0)
    found = audit_run(folder.path, verdicts=_fill(folder, truth, tmp_path / "v.csv"))
    assert found["judged"] == len(has) == 24 * EACH
    for column, one in enumerate(found["classes"][:2]):
        false, missed = _true(has, shown, column)
        assert one["false"]["value"] == pytest.approx(false)
        assert one["missed"]["value"] == pytest.approx(missed)


def test_a_draw_gives_intervals_around_what_is_true_and_so_does_its_first_part(run, tmp_path):
    folder, truth, has, shown = run
    draw_cells(folder.path, 120, seed=1)
    width = []
    for first in (60, 120):
        sheet = _fill(folder, truth, tmp_path / f"{first}.csv", first=first)
        found = audit_run(folder.path, verdicts=sheet)
        assert (found["drawn"], found["judged"]) == (120, first)
        false, _ = _true(has, shown, 0)
        share = found["classes"][0]["false"]
        assert share["low"] < false < share["high"]
        width.append(share["high"] - share["low"])
    assert width[1] < width[0]


@given(
    cells=st.integers(1, 60),
    bounds=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_an_estimate_beyond_what_field_labels_allow_is_said(cells, bounds, share):
    least, most = sorted(round(end * cells) for end in bounds)
    low, value, high = sorted(share)
    said = {"value": value, "low": low, "high": high, "judged": 3}
    facts = {
        "inherited": cells, "false_at_least": least, "false_at_most": most, "false": said,
    }  # fmt: skip
    word = _beyond(facts)
    assert (word is None) == (least / cells <= value <= most / cells)
    assert (word == "surely above") == (low > most / cells)
    assert (word == "surely below") == (high < least / cells)
    assert word is None or word in BEYOND_BOUNDS
    assert _beyond({**facts, "false": {**said, "judged": 0, "value": None}}) is None


def test_a_class_that_no_cell_of_its_fields_shows_is_told_on_the_screen(run, tmp_path):
    folder, _, _, _ = run
    draw_cells(folder.path, 200, seed=1)
    none = dict.fromkeys(((s, n) for s in FIELDS for n in range(1, EACH + 1)), "none")
    sheet = _fill(folder, none, tmp_path / "v.csv")
    shown = CliRunner().invoke(app, ["audit", str(folder.path), "--verdicts", str(sheet)])
    assert "false: all of the interval above the bound (1): fields have no cell" in shown.stdout


def test_who_says_two_things_of_a_cell_and_cells_that_are_not_there_are_told(run, tmp_path):
    folder = run[0].path
    site = next(iter(FIELDS))
    rows = [
        f"{site},1,a,yes",
        f"{site},1,a,no",
        f"{site},2,a,yes",
        *(f"zz,{n},a,no" for n in range(1, 10)),
    ]
    (tmp_path / "v.csv").write_text("\n".join(["site_id,cell_id,class,verdict", *rows]))
    said = CliRunner().invoke(app, ["audit", str(folder), "--verdicts", str(tmp_path / "v.csv")])
    assert "1 times one person says two things of a cell" in said.stdout
    assert "not there: 9 cells: zz/1, zz/2" in said.stdout
    assert "zz/8, ...\n" in said.stdout


def test_cells_that_were_picked_count_for_nothing(run, tmp_path):
    folder, truth, _, _ = run
    draw_cells(folder.path, 80, seed=1)
    audit_run(folder.path, verdicts=_fill(folder, truth, tmp_path / "v.csv"))
    before = audit_run(folder.path)
    drawn = set(read_draw(folder).drawn["site_id", "cell_id"].rows())
    others = [place for place in truth if place not in drawn and place[0] != "u"]
    # Said to be random or not: they were not drawn.
    rows = [(*place, "a", ("random", "hardest")[n % 2], "bob") for n, place in enumerate(others)]
    picks = pl.DataFrame(
        rows, schema=["site_id", "cell_id", "classes", "drawn", "who"], orient="row"
    )
    picks.write_csv(tmp_path / "picks.csv")
    after = audit_run(folder.path, verdicts=tmp_path / "picks.csv")
    assert after["classes"] == before["classes"]
    assert after["taken"]["verdicts"] == 3 * len(others)


def test_verdicts_of_a_queue_on_drawn_cells_do_not_count(run, tmp_path):
    folder, truth, _, _ = run
    draw_cells(folder.path, 80, seed=1)

    def picked(row):
        return {**row, "drawn": "hardest"}

    found = audit_run(folder.path, verdicts=_fill(folder, truth, tmp_path / "v.csv", change=picked))
    assert found["judged"] == 0
    assert found["classes"][0]["false"] is None


def test_a_second_draw_and_other_masks_are_refused(run):
    folder = run[0]
    draw_cells(folder.path, 20, seed=0)
    with pytest.raises(PreflightError, match="holds a draw already"):
        draw_cells(folder.path, 20, seed=1)
    site = read_draw(folder).drawn["site_id"][0]
    write_masks(folder.masks, site, Masks(mask()[:, ::-1], mask()))
    with pytest.raises(PreflightError, match="draw again"):
        audit_run(folder.path)


def test_what_is_no_run_of_cells_is_refused(run, tmp_path):
    with pytest.raises(PreflightError, match="no predictions"):
        audit_run(tmp_path / "nothing")
    frame = empty_frame(PREDICTIONS).with_columns(
        *(pl.lit(None, pl.Float32).alias(f"Prob_{name}") for name in "abc")
    )
    write_table(run[0].predictions, PREDICTIONS, frame)
    with pytest.raises(PreflightError, match="has not seen the field"):
        draw_cells(run[0].path, 5, seed=0)


def test_the_command_draws_takes_and_tells(run, tmp_path):
    folder, truth, _, _ = run
    path = str(folder.path)
    drawn = CliRunner().invoke(app, ["audit", path, "--draw", "100"])
    assert drawn.exit_code == 0
    # What fields say would lead the person who judges.
    assert "label" not in (folder.annotations / "draw.csv").read_text().partition("\n")[0]
    sheet = _fill(folder, truth, tmp_path / "v.csv")
    told = CliRunner().invoke(app, ["audit", path, "--verdicts", str(sheet)])
    assert told.exit_code == 0
    assert "100 of 100 cells drawn at random were judged" in told.stdout
    assert told.stdout.count("of shown, missed") == 2
    assert "no judged cell shows: c\n" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["audit", path, "--json"]).stdout)
    assert found["classes"][0]["false"]["judged"] > 0
    first = found["suspicious_cells"][0]
    assert first["class"] not in FIELDS[first["site_id"]]
