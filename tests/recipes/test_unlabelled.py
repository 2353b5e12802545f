"""Wells without a label teach what models gave their cells: rounds on vectors, then from scores."""

import json

import numpy as np
import polars as pl
import pytest

import cellwise
from cellwise.domain.tables import FOLDS, LABELS, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

pytestmark = [pytest.mark.long, pytest.mark.slow]

RECIPE = """
format: 1
steps:
  - read:
  - segment: watershed
  - cells: {crops: false}
  - split: {by: auto, folds: 2}
  - embed: {as: measured, by: measured}
  - label: {as: shared, by: {name: progressive, fraction: 0.3, rounds: 2}, embeddings: measured}
  - train: {as: alike, task: vectors, embeddings: measured, labels: shared, unlabelled: true,
            learner: kernel_ridge, threads: 1}
  - score: {as: alike, model: alike, by: vector_learner, embeddings: measured, threads: 1}
  - label: {as: seen, by: {name: progressive, fraction: 0.5}, from: alike, labels: shared}
  - train: {as: last, task: vectors, embeddings: measured, labels: seen, unlabelled: true,
            learner: kernel_ridge, threads: 1}
  - score: {as: last, model: last, by: vector_learner, embeddings: measured, threads: 1}
  - decide: {from: [last]}
  - evaluate:
  - report:
"""


@pytest.fixture(scope="module")
def done(plate, tmp_path_factory):
    home = tmp_path_factory.mktemp("unlabelled")
    (home / "recipe.yaml").write_text(RECIPE)

    def run():
        return cellwise.run(
            plate / "images", labels=plate / "labels.csv", out=home / "run",
            recipe=str(home / "recipe.yaml"),
        )  # fmt: skip

    made = run()
    again = run()
    return RunFolder(made.path), json.loads(RunFolder(again.path).record.read_text())["steps"]


def test_cells_of_unlabelled_wells_get_labels_made_without_each_fold(done):
    run, _ = done
    labels = read_table(run.labels("shared"), LABELS)
    sites = read_table(run.sites, SITES).filter(pl.col("labels").is_null())["site_id"].unique()
    free = labels.filter(pl.col("site_id").is_in(sites.to_list()))
    given = free.filter(pl.col("weight") > 0)
    assert 0 < given.height < free.height
    apart = [name for name in labels.columns if name.startswith("label_without_")]
    assert apart == ["label_without_0", "label_without_1"]
    some = given.select(pl.any_horizontal(pl.col(name).is_not_null() for name in apart))
    assert some.to_series().all()
    # Nothing is made of a fold's own cells, labelled or of unlabelled wells of its group.
    folds = read_table(run.folds, FOLDS).select("site_id", "fold")
    of_fold = labels.join(folds, on="site_id", how="left")
    for name in apart:
        own = of_fold.filter(pl.col("fold") == int(name[-1]))
        assert own[name].null_count() == own.height > 0


def test_they_teach_and_the_counts_of_each_round_are_told(done):
    run, steps = done
    counts = {(s["kind"], s["name"]): s["counts"] for s in steps}
    shared = counts["label", "shared"]
    assert shared["made_without_each_of"] == [0, 1]
    rounds = shared["given_in_rounds"]
    assert 0 < rounds["round 1"]["given"] <= rounds["round 2"]["given"]
    assert shared["unlabelled_fields"] > 0
    labels = read_table(run.labels("shared"), LABELS)
    assert counts["train", "alike"]["items"] == labels.filter(pl.col("weight") > 0).height
    assert counts["train", "alike"]["sites"] > shared["fields"]
    assert counts["train", "last"]["sites"] > counts["label", "seen"]["fields"]
    assert np.isfinite(read_table(run.labels("seen"), LABELS)["label"].to_numpy()).all()
    page = run.report.read_text(encoding="utf-8")
    part = page[page.index('id="cell_labels"') :]
    part = part[: part.index("</section>")]
    assert "shared, round 2, 50%" in part


def test_nothing_is_done_again_where_nothing_changed(done):
    _, steps = done
    assert {s["state"] for s in steps if s["kind"] in ("label", "train", "score")} == {"reused"}
