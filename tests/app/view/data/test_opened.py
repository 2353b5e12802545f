"""A run is opened whatever its recipe left; what changed on disk is seen."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.app.view.conftest import write_run

from cellwise.app.view.data.facts import facts
from cellwise.app.view.data.live import Live
from cellwise.app.view.data.opened import open_run
from cellwise.app.view.data.question import Question
from cellwise.app.view.data.rows import listed, whole
from cellwise.app.view.shown import Drawn
from cellwise.domain.tables import ANNOTATIONS, PREDICTIONS
from cellwise.errors import FormatError, PreflightError
from cellwise.store.annotations.saves import save
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_key
from cellwise.store.run.tables import empty_frame, read_table, write_table


@pytest.fixture
def made(tmp_path):
    return write_run(tmp_path)


def test_a_run_that_ends_after_its_tables_were_read_is_shown_as_done(made):
    record = made.run / "run.json"
    content = json.loads(record.read_text()) if record.is_file() else {}
    record.write_text(json.dumps({**content, "status": "running"}))
    opened = open_run(made.run)
    assert facts(opened)["status"] == "running"
    record.write_text(json.dumps({**content, "status": "done"}))
    assert facts(opened)["status"] == "done"
    record.unlink()
    assert facts(opened)["status"] == "running"


def test_facts_of_a_run_are_there_after_its_folder_was_moved(made):
    opened = open_run(made.run)
    before = facts(opened)
    made.run.rename(made.run.with_name("moved"))
    assert facts(opened) == before


def everywhere(name, corners):
    return np.ones(108, bool)


def test_each_cell_has_what_the_tables_say_of_it(opened, shown_run):
    table = pl.read_parquet(shown_run.run / "predictions.parquet")
    row = opened.cells.row_of("plate_B03", 4)
    expected = table.filter(pl.col("site_id") == "plate_B03", pl.col("cell_id") == 4).to_dicts()[0]
    found = whole(opened, row)
    assert dict(found["probabilities"])["inside"] == pytest.approx(
        expected["Prob_inside"], abs=1e-4
    )
    assert found["labels"] == expected["Labels"]
    assert (found["well"], found["plate"], found["area"]) == ("B03", "P1", expected["area"])
    assert found["metadata"]["Dose"] == "2"


def test_windows_are_centred_on_boxes(opened):
    entry = listed(opened, np.array([13]), 0)[0]
    top, left, side = entry["window"]
    y0, x0, y1, x1 = opened.cells.boxes[13]
    assert top + side / 2 == pytest.approx((y0 + y1) / 2, abs=0.02)
    assert left + side / 2 == pytest.approx((x0 + x1) / 2, abs=0.02)


def test_cells_without_a_prediction_say_nothing(made):
    run = RunFolder(made.run)
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, table.filter(pl.col("cell_id") != 2))
    opened = open_run(made.run)
    assert len(opened.cells) == 108
    row = opened.cells.row_of("plate_A01", 2)
    assert opened.cells.chances.best[row] == -1
    assert whole(opened, row)["probabilities"] == []
    other = opened.cells.row_of("plate_A01", 3)
    expected = table.filter(pl.col("site_id") == "plate_A01", pl.col("cell_id") == 3)
    assert opened.cells.chances.of_class(0)[other] == expected["Prob_inside"][0]
    area = opened.cells.column("Cells_Intensity_Mean_gfp")
    assert np.isfinite(area).all()


def test_predictions_of_wells_are_not_those_of_cells(made):
    run = RunFolder(made.run)
    table = read_table(run.predictions, PREDICTIONS).with_columns(unit=pl.lit("site"))
    write_table(run.predictions, PREDICTIONS, table)
    opened = open_run(made.run)
    assert (len(opened.cells), opened.cells.chances.best.max()) == (108, -1)


def test_a_run_without_cells_found_is_empty_and_opens(tmp_path):
    made = write_run(tmp_path, cells=0)
    opened = open_run(made.run)
    assert len(opened.cells) == 0
    assert opened.store is None
    assert facts(opened)["cells"] == 0
    assert len(opened.ask(Question(), everywhere)) == 0


def test_names_are_kept_verbatim(tmp_path):
    names = ("<script>alert(1)</script>", 'say "no"', "غشاء", "x" * 300, "Negative")
    opened = open_run(write_run(tmp_path, classes=names).run)
    assert opened.cells.classes == names
    assert facts(opened)["coloured"] == list(names)


def test_who_judged_a_cell_is_known(made):
    run = RunFolder(made.run)
    row = {
        "site_id": "plate_A01",
        "cell_id": 3,
        "mask_key": mask_key(run.masks, "plate_A01"),
        "outline": [],
        "x": 1.0,
        "y": 1.0,
        "class": "inside",
        "verdict": "yes",
        "drawn": "random",
        "who": "Ada <b>",
        "when": "2026-01-01T00:00:00+00:00",
        "model_said": 0.5,
    }
    opened = open_run(made.run)
    assert len(opened.ask(Question(who="nobody"), everywhere)) == 108
    save(run, pl.DataFrame([row], schema=empty_frame(ANNOTATIONS).schema), name="one")
    assert opened.said.now().people == ["Ada <b>"]
    assert opened.ask(Question(who="Ada <b>"), everywhere).tolist() == [2]
    assert opened.ask(Question(who="anyone"), everywhere).tolist() == [2]
    assert len(opened.ask(Question(who="nobody"), everywhere)) == 107
    assert whole(opened, 2)["judged_by"] == ["Ada <b>"]


def test_a_folder_that_is_no_run_is_refused_with_advice(tmp_path):
    with pytest.raises(PreflightError, match="Finish the run first"):
        open_run(tmp_path)


def test_a_torn_table_is_refused_by_name(made):
    path = RunFolder(made.run).cells
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FormatError, match=r"cells\.parquet"):
        open_run(made.run)


def test_a_run_that_is_written_anew_is_read_anew(made):
    now = [0.0]
    live = Live(made.run, clock=lambda: now[0])
    first = live.now()
    run = RunFolder(made.run)
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, table.with_columns(Prob_inside=pl.lit(0.125)))
    assert live.now() is first
    now[0] = 10.0
    second = live.now()
    assert second.stamp != first.stamp
    assert set(second.cells.chances.of_class(0)) == {np.float32(0.125)}
    now[0] = 20.0
    assert live.now() is second


def test_a_run_that_cannot_be_read_for_a_while_is_shown_as_it_was(made):
    now = [0.0]
    live = Live(made.run, clock=lambda: now[0])
    first = live.now()
    path = RunFolder(made.run).predictions
    content = path.read_bytes()
    path.write_bytes(content[:300])
    now[0] = 10.0
    assert live.now() is first
    assert "predictions.parquet" in live.trouble
    path.write_bytes(content)
    now[0] = 20.0
    assert len(live.now().cells) == 108
    assert live.trouble == ""


ARCHIVES = Path(__file__).parents[3] / "archives"


@pytest.mark.parametrize("path", sorted(ARCHIVES.glob("format-*")), ids=lambda path: path.name)
def test_runs_of_old_formats_are_shown(path, tmp_path):
    shutil.copytree(path, tmp_path / "run")
    drawn = Drawn(open_run(tmp_path / "run"))
    assert len(drawn.opened.cells) == facts(drawn.opened)["cells"] > 0
    assert all(drawn.outlines.of_field(0))
    # Their images are elsewhere: the cells' own stand in.
    assert drawn.planes.channel(0, 0).source == "crops"
    assert drawn.planes.channel(0, 0).levels[0].any()
