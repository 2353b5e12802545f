"""A whole ladder on a tiny world: what it writes, that it is right, and that it resumes."""

import csv
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

import cellwise
from cellwise.errors import Interrupted, PreflightError
from cellwise.flow.pipeline.events import Silent
from cellwise.lab.benchmark.page.write import COLUMNS
from cellwise.lab.benchmark.run import run_benchmark
from cellwise.store.worlds.truth import read_truth

pytestmark = [pytest.mark.long, pytest.mark.slow]

KEY = ["site_id", "cell_id"]
MEASURED = ("train_seconds", "peak_mb")


def rows_of(out):
    with (out / "ladder.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def numbers_of(out):
    """The table without what a clock says."""
    return [{k: v for k, v in row.items() if k not in MEASURED} for row in rows_of(out)]


def test_the_table_has_a_line_for_every_row_in_both_tables(climbed):
    rows = rows_of(climbed.out)
    assert tuple(rows[0]) == COLUMNS
    assert [(r["table"], r["row"]) for r in rows] == [
        (table, row) for table in ("new", "labelled") for row in ("inherit", "truth", "soft")
    ]
    assert {r["world"] for r in rows} == {"tiny"}
    assert all(float(r["train_seconds"]) > 0 and float(r["peak_mb"]) > 50 for r in rows)
    assert {(r["worlds"], r["seeds"]) for r in rows} == {("1", "2")}


def test_a_row_is_what_its_recipe_gives_alone(climbed, tmp_path):
    """Merging shares work between rows; it changes no number."""
    alone = cellwise.run(
        climbed.home / "world",
        recipe=str(climbed.home / "soft.yaml"),
        out=tmp_path / "alone",
        masks=climbed.home / "world" / "truth" / "masks",
        settings=["train.epochs=4", "train.net.width=8", "train.batch=8", "train.threads=1",
                  "score.threads=1"],
        seed=1,
        device="cpu",
    )  # fmt: skip
    task = next(t for t in climbed.result.plan.tasks() if t.seed == 1)
    strand = next(s for s in task.merged.strands if s.row == "soft")
    merged = pl.read_parquet(task.run(climbed.out) / f"predictions_{strand.decide}.parquet")
    assert merged.equals(alone.cells)


def test_accuracy_is_that_of_an_independent_program(climbed):
    truth = read_truth(climbed.home / "world")
    cells = truth.cells.filter(~pl.col("ignored"))
    for row in rows_of(climbed.out):
        values = []
        for task in climbed.result.plan.tasks():
            strand = next(s for s in task.merged.strands if s.row == row["row"])
            path = task.run(climbed.out) / f"predictions_{strand.decide}.parquet"
            frame = cells.join(pl.read_parquet(path), on=KEY)
            new = pl.col("part") == "test" if row["table"] == "new" else pl.col("part") == "train"
            frame = frame.filter(new)
            assert len(frame) == int(row["cells"])
            values += [
                average_precision_score(
                    [name in shown for shown in frame["classes"]], frame[f"Prob_{name}"]
                )
                for name in ("Nucleoplasm", "Cytosol")
            ]
        assert float(row["macro_ap"]) == pytest.approx(np.mean(values), abs=1e-6)


def test_the_other_outputs_say_the_same(climbed):
    content = json.loads((climbed.out / "ladder.json").read_text(encoding="utf-8"))
    assert [line["macro_ap"] for line in content["lines"]] == [
        float(row["macro_ap"]) for row in rows_of(climbed.out)
    ]
    told = {row["name"]: row for row in content["rows"]}
    assert "trainings: 1 -> 2" in told["soft"]["changes"]
    assert told["truth"]["changes"] == ["label.by: inherit -> known"]
    text = (climbed.out / "ladder.md").read_text(encoding="utf-8")
    assert "## New fields" in text
    assert "## Labelled fields" in text
    assert str(climbed.home) not in text + json.dumps(content["lines"])


def test_the_page_is_one_file_with_images_and_asks_no_network(climbed):
    page = (climbed.out / "ladder.html").read_text(encoding="utf-8")
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert "https:" not in page
    assert "<script" not in page
    assert page.count("data:image/jpeg") >= 3
    assert "Effects reported elsewhere" in page


def test_the_same_call_again_trains_nothing_and_says_the_same(climbed):
    class Watching(Silent):
        started: tuple[tuple[str, float], ...] = ()

        def step_finished(self, name, *, seconds, counts):
            self.started = (*self.started, (name, seconds))

    before = (climbed.out / "ladder.csv").read_bytes()
    costs = {p: p.read_bytes() for p in (climbed.out / "runs").glob("*.jsonl")}
    watching = Watching()
    run_benchmark(climbed.request, watching)
    assert (climbed.out / "ladder.csv").read_bytes() == before
    assert {p: p.read_bytes() for p in (climbed.out / "runs").glob("*.jsonl")} == costs
    assert [name for name, _ in watching.started] == ["trainings"]


@pytest.mark.slow
def test_an_interrupted_ladder_goes_on_in_two_processes_to_the_same_table(climbed, tmp_path):
    """Both seeds still have trainings to do, so that each process does one."""

    class Impatient(Silent):
        def step_advanced(self, done, *, total, note):
            if done >= 1:
                raise KeyboardInterrupt

    request = climbed.into(tmp_path / "out")
    with pytest.raises(Interrupted):
        run_benchmark(request, Impatient())
    assert not (request.out / "ladder.csv").exists()
    run_benchmark(replace(request, workers=2))
    assert numbers_of(request.out) == numbers_of(climbed.out)


def test_another_setting_is_refused_with_words(climbed):
    rows = climbed.home / "other" / "rows.yaml"
    rows.parent.mkdir()
    text = (
        (climbed.home / "rows.yaml")
        .read_text()
        .replace("[inherit]\n    expect", "[truth]\n    expect")
    )
    for name in ("inherit.yaml", "soft.yaml"):
        (rows.parent / name).write_bytes((climbed.home / name).read_bytes())
    rows.write_text(text.replace("path: world", f"path: {climbed.home / 'world'}"))
    with pytest.raises(PreflightError, match=r"another setting.*row 'soft'"):
        run_benchmark(climbed.into(climbed.out, rows=str(rows)))
    with pytest.raises(PreflightError, match="device cpu, now cuda"):
        run_benchmark(climbed.into(climbed.out, device="cuda"))


def test_fewer_seeds_are_taken_from_what_is_there(climbed):
    before = {p.name for p in (climbed.out / "runs").iterdir()}
    result = run_benchmark(climbed.into(climbed.out, seeds=1))
    assert {p.name for p in (climbed.out / "runs").iterdir()} == before
    assert result.plan.seeds == 1
    run_benchmark(climbed.request)


def test_a_folder_of_something_else_is_refused(climbed, tmp_path):
    (tmp_path / "thesis.docx").write_bytes(b"")
    with pytest.raises(PreflightError, match="no benchmark"):
        run_benchmark(climbed.into(tmp_path))
    with pytest.raises(PreflightError, match="is a file"):
        run_benchmark(climbed.into(tmp_path / "thesis.docx"))
