"""Screens that lack something: every step says so or goes on, and no figure is made up."""

import numpy as np
import polars as pl
import pytest
from tests.screens import Screen

from cellwise.domain.steps import Job
from cellwise.domain.tables import TREATMENTS
from cellwise.stages.assign.spec import Options as AssignOptions
from cellwise.stages.assign.step import work as assign
from cellwise.stages.evaluate.spec import Options
from cellwise.stages.evaluate.step import work as evaluate
from cellwise.stages.profile.spec import Options as ProfileOptions
from cellwise.stages.profile.step import work as profile
from cellwise.store.run.folder import read_json
from cellwise.store.run.tables import read_table


def quiet(done, total, note):
    return None


def through(screen, **options):
    """All steps; the treatments, metrics and evaluation."""
    run = screen.run
    (run.path / "models" / "net").mkdir(parents=True, exist_ok=True)
    screen._write(told=True)
    screen.embed("tiles")
    chosen = AssignOptions.of({"from": "tiles", **options}).model_dump(by_alias=True)
    assign(Job(run.path, run.path, "assign", chosen, "k", 0), quiet)
    named = ProfileOptions.of({"embeddings": "tiles"}).model_dump()
    profile(Job(run.path, run.path, "wells", named, "k", 0), quiet)
    asked = Options.of({"treatments": "assign", "profiles": "wells", "draws": 20}).model_dump()
    evaluate(Job(run.path, run.path, "evaluate", asked, "k", 0), quiet)
    found = read_json(run.path / "evaluation.json")
    table = read_table(run.treatments(), TREATMENTS)
    return table, read_json(run.metrics)["metrics"], found


def test_controls_only(tmp_path):
    screen = Screen(tmp_path, experiments=3)
    screen.rows = [row for row in screen.rows if row[5] != "treatment"]
    table, metrics, found = through(screen)
    assert table["answer_free"].null_count() == 0
    assert table["answer_assigned"].null_count() == len(table)
    assert metrics == {}
    assert any("nothing is tested" in text for text in found["warnings"])


def test_an_experiment_of_one_plate_is_decided_by_itself(tmp_path):
    screen = Screen(tmp_path, experiments=6, tests=2, signal=6.0)
    last = screen.rows[-1][0]
    screen.rows = [row for row in screen.rows if row[0] != last or row[1] == 2]
    table, metrics, _ = through(screen, design="groups")
    alone = table.filter((pl.col("experiment") == last) & (pl.col("well_type") == "treatment"))
    assert alone["group"].n_unique() == 1
    assert alone["group"].null_count() == 0
    assert metrics["out_of_batch_groups_found"]["n"] == 5 * 4 + 1


def test_a_treatment_seen_once_keeps_its_plates_group(tmp_path):
    screen = Screen(tmp_path, experiments=6, tests=2)
    rare = next(row[4] for row in screen.rows if row[5] == "treatment")
    first = screen.rows[0][0]
    screen.rows = [row for row in screen.rows if row[4] != rare or row[0] == first or row[7]]
    through(screen)
    groups = read_json(screen.run.assignment("assign"))["groups"]
    (own,) = [group for group in groups if screen.classes[rare] in group]
    assert len(own) == 4


@pytest.mark.parametrize("design", ["groups", "one_to_one"])
def test_wells_of_a_treatment_that_no_training_plate_has_count_as_missed(tmp_path, design):
    screen = Screen(tmp_path, experiments=6, tests=2, signal=8.0, shift=0.2)
    strange = next(row[4] for row in screen.rows if row[5] == "treatment")
    screen.rows = [row for row in screen.rows if row[4] != strange or row[7]]
    table, _, _ = through(screen, design=design)
    lost = table.filter(pl.col("class") == screen.classes[strange])
    assert len(lost)
    assert not (lost["answer"] == lost["class"]).fill_null(value=False).any()
    assert not (table["answer_free"] == screen.classes[strange]).any()


def test_plates_with_missing_wells_and_sites(tmp_path):
    screen = Screen(tmp_path, experiments=6, tests=2, size=6)
    random = np.random.default_rng(0)
    screen.rows = [row for row in screen.rows if random.random() > 0.25]
    table, metrics, _ = through(screen)
    content = read_json(screen.run.assignment("assign"))
    assert content["partition"]
    assert sorted(map(len, content["groups"])) == [6] * 4
    assert set(table["n_sites"].unique()) == {1, 2}
    assert metrics["out_of_batch_accuracy_assigned"]["value"] > 0.5


def test_wells_of_folds_without_a_model_are_not_counted_as_missed(tmp_path, monkeypatch):
    """`folds: [0]` trains one model: wells of the other folds are learned from and not scored."""
    screen = Screen(tmp_path, experiments=8, tests=2, signal=6.0)
    screen._write(told=True)
    rows = [(f"{n}_{p}_{w}_{s}", None if t else 0, logits)
            for n, p, w, s, _, _, _, t, e, logits in screen.rows if t or e % 2 == 0]  # fmt: skip
    write = screen.scores
    monkeypatch.setattr(screen, "scores", lambda name, _: write(name, rows))
    table, metrics, found = through(screen)
    assert table["answer"].null_count() == 3 * 4 * 6
    assert found["screen"]["roles"]["learned"] == 3 * 4 * 4
    assert metrics["out_of_batch_accuracy_free"]["n"] == 5 * 4 * 4
    assert metrics["out_of_batch_accuracy_free"]["value"] > 0.8
    assert metrics["out_of_batch_groups_found"]["n"] == 5 * 4
