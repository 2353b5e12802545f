"""What a run said before is kept, and compared with what it says after."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from cellwise.app.audit import draw_cells
from cellwise.app.view.learning.compare import before_and_after, end, keep_before
from cellwise.domain.tables import PREDICTIONS
from cellwise.store.annotations.draws import read_draw
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.tables import read_verdicts
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table


@pytest.fixture
def run(own_run):
    return RunFolder(own_run)


def learn(run, change):
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, change(table))


def given(name, where):
    return pl.when(where).then(pl.lit([name])).otherwise(pl.col("Labels")).alias("Labels")


def test_cells_that_are_given_other_classes_are_counted_and_named(run):
    before = read_table(run.predictions, PREDICTIONS)
    keep_before(run, who="ann", verdicts=3)
    one = (pl.col("site_id") == "plate_A01") & (pl.col("cell_id") <= 2)
    learn(run, lambda table: table.with_columns(given("inside", one)))
    found = before_and_after(run)
    had = before.filter(one)["Labels"].list.contains("inside").sum()
    assert had == 0
    assert sorted(found["changed"]) == [("plate_A01", 1), ("plate_A01", 2)]
    inside = next(c for c in found["classes"] if c["class"] == "inside")
    assert (inside["gained"], inside["lost"]) == (2, 0)
    assert inside["after"] == inside["before"] + 2
    assert (found["who"], found["verdicts"], found["cells"]) == ("ann", 3, 108)
    assert found["why"] == "No cells were drawn at random for an audit yet."


def test_what_was_before_stays_until_learning_came_to_its_end(run):
    everywhere = lambda name: lambda table: table.with_columns(given(name, pl.lit(value=True)))  # noqa: E731
    keep_before(run)
    learn(run, everywhere("inside"))
    # Stopped after its decisions: the next start goes on from the same state.
    keep_before(run)
    first = len(before_and_after(run)["changed"])
    assert first > 0
    end(run)
    keep_before(run)
    assert before_and_after(run)["changed"] == []


def test_a_run_that_never_learned_has_no_change_and_a_torn_note_is_none(run):
    assert before_and_after(run) is None
    keep_before(run)
    (run.annotations / "before.json").write_text("{ torn")
    assert before_and_after(run) is None


def test_judged_cells_of_the_draw_tell_average_precision(run):
    draw_cells(run.path, 30, seed=2)
    sheet = run.annotations / "draw.csv"
    table = pl.read_csv(sheet, schema_overrides={"classes": pl.String})
    shows = np.random.default_rng(0).random(len(table)) < 0.5
    told = ["inside" if one else "Negative" for one in shows]
    table.with_columns(classes=pl.Series(told)).write_csv(sheet)
    classes = json.loads(run.reading.read_text())["classes"]["names"]
    imported(run, sheet, read_verdicts(sheet, classes, None))
    keep_before(run)
    known = table.select("site_id", "cell_id").with_columns(shown=pl.Series(shows))
    known = known.with_columns(pl.col("cell_id").cast(pl.Int32))
    better = pl.when(pl.col("shown")).then(0.9).otherwise(0.1)
    learn(
        run,
        lambda t: (
            t.join(known, on=["site_id", "cell_id"], how="left", maintain_order="left")
            .with_columns(Prob_inside=pl.coalesce(better, "Prob_inside").cast(pl.Float32))
            .drop("shown")
        ),
    )
    found = before_and_after(run)
    inside = next(c for c in found["classes"] if c["class"] == "inside")
    draw = read_draw(run)
    drawn = known.join(draw.drawn, on=["site_id", "cell_id"])
    seen = np.bincount(drawn["stratum"].to_numpy())
    weight = (draw.there / seen)[drawn["stratum"].to_numpy()]
    was = drawn.join(
        read_table(run.annotations / "before.parquet", PREDICTIONS),
        on=["site_id", "cell_id"],
        maintain_order="left",
    )["Prob_inside"]
    expected = average_precision_score(drawn["shown"], was, sample_weight=weight)
    assert inside["precision"]["before"] == pytest.approx(expected, abs=1e-6)
    assert inside["precision"]["after"] == 1
    assert inside["precision"]["judged"] == 30
    assert inside["false"]["judged"] > 0
    assert found["why"] == ""
