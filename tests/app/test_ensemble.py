"""Several finished runs become one: on a tiny plate, against the mean by hand."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from tests.plates import QUICK, treated, write_labels, write_plate
from tests.worlds import wells

from cellwise.app.cli.terminal.ending import print_ending
from cellwise.app.ensemble import ensemble_runs
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import BadOption, PreflightError, UsageError
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request, make_request
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import mask_path, read_labels
from cellwise.store.run.masks import write_labels as write_mask
from cellwise.store.run.tables import read_classes, read_table, write_table

pytestmark = pytest.mark.slow

_KEY = ["site_id", "cell_id"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run, and a copy of it whose cells say something else."""
    folder = tmp_path_factory.mktemp("runs")
    names = wells(8)
    write_plate(folder / "images", names, nuclear=treated)
    write_labels(folder / "labels.csv", names)
    request = make_request(
        folder / "images", folder / "one", labels=folder / "labels.csv", recipe="plate-quick",
        settings=[*QUICK, "train.epochs=2"], workers=1,
    )  # fmt: skip
    assert run_pipeline(request).exit_code in (0, 3)
    shutil.copytree(folder / "one", folder / "two")
    changed(folder / "two", lambda chance: 0.3 + 0.5 * (1 - chance))
    return folder


def changed(run, how):
    """Write other probabilities of the positive class into a run's predictions."""
    path = RunFolder(run).predictions
    rows = read_table(path, PREDICTIONS)
    classes = read_classes(path, PREDICTIONS)
    (positive,) = (name for name in classes if name != "Negative")
    rows = rows.with_columns(pl.col(f"Prob_{positive}").map_batches(how, return_dtype=pl.Float32))
    write_table(path, PREDICTIONS, rows, classes=classes)


def said(run):
    rows = read_table(RunFolder(run).predictions, PREDICTIONS).sort(_KEY)
    return rows.select(*_KEY, "fold", pl.col("Prob_Nuclear").alias("p"))


def test_the_mean_of_probabilities_by_hand_and_again(runs, tmp_path):
    out = tmp_path / "both"
    parts = [runs / "one", runs / "two"]
    settings = ["decide.by=none"]
    first = ensemble_runs(parts, out, weights=[3, 1], settings=settings, workers=1)
    assert first.exit_code in (0, 3)
    one, two, both = map(said, (*parts, out))
    assert both.select(_KEY).equals(one.select(_KEY))
    wanted = 0.75 * one["p"].to_numpy() + 0.25 * two["p"].to_numpy()
    assert np.allclose(both["p"].to_numpy(), wanted, atol=1e-6)
    # The folds are its own; rows of labelled fields are held out in each member.
    assert both["fold"].is_not_null().equals(one["fold"].is_not_null())
    before = RunFolder(out).predictions.read_bytes()
    ensemble_runs(parts, out, weights=[3, 1], settings=settings, workers=1)
    assert RunFolder(out).predictions.read_bytes() == before


def test_an_ensemble_is_decided_anew_where_a_member_changes(runs, tmp_path):
    shutil.copytree(runs / "two", tmp_path / "two")
    parts = [runs / "one", tmp_path / "two"]
    ensemble_runs(parts, tmp_path / "out", workers=1)
    before = said(tmp_path / "out")["p"].to_numpy()
    changed(tmp_path / "two", lambda chance: chance * 0)
    ensemble_runs(parts, tmp_path / "out", workers=1)
    assert (said(tmp_path / "out")["p"].to_numpy() < before).all()


def _with_other_masks(run):
    path = mask_path(RunFolder(run).masks, said(run)["site_id"][0], "cells")
    write_mask(path, np.roll(read_labels(path), 1, axis=0))


def _with_other_classes(run):
    path = RunFolder(run).predictions
    rows = read_table(path, PREDICTIONS).rename({"Prob_Nuclear": "Prob_Golgi"})
    write_table(path, PREDICTIONS, rows, classes=("Golgi", "Negative"))


def _cell_by_cell(run, how):
    path = RunFolder(run).predictions
    rows = read_table(path, PREDICTIONS)
    write_table(path, PREDICTIONS, how(rows), classes=read_classes(path, PREDICTIONS))


def _with_a_chance_of(value):
    def broken(run):
        last = pl.int_range(pl.len()) == pl.len() - 1
        chance = pl.when(last).then(value).otherwise("Prob_Nuclear").cast(pl.Float32)
        _cell_by_cell(run, lambda rows: rows.with_columns(chance.alias("Prob_Nuclear")))

    return broken


def _with_a_cell_twice(run):
    _cell_by_cell(run, lambda rows: pl.concat([rows, rows[-1:]]))


def _unfinished(run):
    record = RunFolder(run).record
    record.write_text(json.dumps({**read_json(record), "status": "running"}))


def _without_predictions(run):
    RunFolder(run).predictions.unlink()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (_with_other_masks, "two has other masks than .*one in 1 of 8 fields"),
        (_with_other_classes, "other classes than this run: 'Golgi', 'Nuclear'"),
        (_with_a_chance_of(float("nan")), r"two.* no probability .* 1 cell.*A08/\d+ of 'Nuclear'"),
        (_with_a_chance_of(1.5), r"two.* no probability in 0..1 for 1 cell, first A08/"),
        (_with_a_cell_twice, "two.* has several rows for 1 cell, first A08/"),
        (_unfinished, r"two has not finished \(running\)"),
        (_without_predictions, "two holds no predictions"),
        (shutil.rmtree, "two is no run folder"),
    ],
)
def test_a_member_that_does_not_fit_is_named_before_any_work(runs, tmp_path, broken, words):
    shutil.copytree(runs / "two", tmp_path / "two")
    broken(tmp_path / "two")
    with pytest.raises(PreflightError, match=words):
        ensemble_runs([runs / "one", tmp_path / "two"], tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0]])
def test_weights_that_do_not_fit_are_refused(runs, tmp_path, weights):
    with pytest.raises(BadOption, match="weights are one number for each of 2"):
        ensemble_runs([runs / "one", runs / "two"], tmp_path / "out", weights=weights)


def test_a_copy_of_a_run_does_not_count_twice(runs, tmp_path):
    shutil.copytree(runs / "one", tmp_path / "copy")
    parts = [runs / "one", runs / "two", tmp_path / "copy"]
    with pytest.raises(PreflightError, match=r"one and .*copy give every cell the same"):
        ensemble_runs(parts, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()

    # One cell that differs makes them two.
    def other(chance):
        return pl.concat([chance[:-1], 1 - chance[-1:]])

    changed(tmp_path / "copy", other)
    assert ensemble_runs(parts, tmp_path / "out", workers=1).exit_code in (0, 3)


def test_cells_of_which_a_run_says_nothing_are_told_at_the_end(runs, tmp_path, capsys):
    shutil.copytree(runs / "two", tmp_path / "two")
    _cell_by_cell(tmp_path / "two", lambda rows: rows.filter(pl.col("site_id") != "A08"))
    left = len(said(tmp_path / "two"))
    found = ensemble_runs([runs / "one", tmp_path / "two"], tmp_path / "out", workers=1)
    print_ending(found)
    every = len(said(runs / "one"))
    assert f"two says something of {left} of {every} cells" in capsys.readouterr().out


def test_one_run_is_no_ensemble_and_an_ensemble_has_no_models(runs, tmp_path):
    for parts in ([runs / "one"], [runs / "one", runs / "one"]):
        with pytest.raises(UsageError, match="two or more different runs"):
            ensemble_runs(parts, tmp_path / "out")
    with pytest.raises(UsageError, match="is one of the runs"):
        ensemble_runs([runs / "one", runs / "two"], runs / "one")
    ensemble_runs([runs / "one", runs / "two"], tmp_path / "out", workers=1)
    with pytest.raises(PreflightError, match="Of an ensemble apply each member"):
        fitted_request(tmp_path / "out", runs / "images", tmp_path / "new", workers=1)


def test_labelled_fields_weigh_runs_and_ranks_need_no_scale(runs, tmp_path):
    parts, out = [runs / "one", runs / "two"], tmp_path / "both"
    ensemble_runs(parts, out, combine="ranks", weights="auto", workers=1)
    decision = read_json(RunFolder(out).decision("decide"))
    # The second says the opposite of the first, which has learned the labels.
    assert decision["weights"][0] > decision["weights"][1]
    assert len(decision["member_curves"]) == 2
    one, both = said(runs / "one"), said(out)
    assert np.isfinite(both["p"].to_numpy()).all()
    assert np.corrcoef(one["p"], both["p"])[0, 1] > 0
