"""The score step: who may score whom, that nothing depends on grouping, and what is refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.stages.site_steps import all_of, do, finished, merged
from tests.stages.train.learn_world import CHANNELS, CLASSES, label_of, make_job, make_run, silent

from cellwise.domain.steps import Finished
from cellwise.domain.tables import CELLS, FOLDS, SCORES
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.stages.score import step
from cellwise.stages.score._maps import in_turn
from cellwise.stages.train.step import work as train
from cellwise.store.run.class_maps import read_class_maps
from cellwise.store.run.crops import CropStore, write_channels, write_shard
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import WEIGHTS_FILE
from cellwise.store.run.scores import read_scores
from cellwise.store.run.tables import empty_frame, read_classes, read_table, write_table

LEARN = {"epochs": 25, "net": {"name": "tiny", "width": 16}, "learning_rate": 0.01}


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Twelve labelled fields, three without label; a model of crops and one of whole fields."""
    folder = tmp_path_factory.mktemp("trained")
    run = make_run(folder, unlabelled=3)
    train(make_job(run, **LEARN), silent)
    image = {"task": {"name": "image", "size": 64}, "batch": 3, "epochs": 30}
    train(make_job(run, name="fields", key="k2", **{**LEARN, **image}), silent)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return RunFolder(tmp_path / "run")


def score(run, **options):
    job = make_job(run, step="score", **{"name": "s", **options})
    all_of(step, job)
    return read_table(run.scores(job.name), SCORES)


def logits(frame):
    return np.array(frame["score"].to_list(), np.float32)


def macro_accuracy(frame, unlabelled=()):
    truth = [CLASSES.index(label_of(int(site[1:]))) for site in frame["site_id"]]
    chances = 1 / (1 + np.exp(-logits(frame)))
    found = np.c_[chances, 1 - chances.max(1)].argmax(1)
    return float((found == np.array(truth)).mean())


def test_cells_are_recognised_out_of_fold(run):
    frame = score(run)
    assert read_classes(run.scores("s"), SCORES) == CLASSES[:2]
    assert len(frame) == 60
    assert macro_accuracy(frame) > 0.9


def test_a_field_with_a_fold_is_scored_only_by_the_model_that_left_it_out(run):
    frame = score(run)
    folds = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
    for site, fold, model in frame.select("site_id", "fold", "model").unique().iter_rows():
        assert fold == folds[site]
        assert model == ("model/mean" if fold is None else f"model/fold{fold}")


def test_a_field_without_a_fold_gets_the_mean_of_all_models(run):
    both = score(run).filter(pl.col("fold").is_null())
    parts = []
    for fold in (0, 1):
        folds = read_table(run.folds, FOLDS).with_columns(pl.lit(fold, pl.Int32).alias("fold"))
        write_table(run.folds, FOLDS, folds)
        parts.append(score(run).filter(pl.col("site_id").is_in(both["site_id"].unique())))
    np.testing.assert_allclose(logits(both), (logits(parts[0]) + logits(parts[1])) / 2, rtol=1e-5)
    chances = [1 / (1 + np.exp(-logits(part).astype(float))) for part in parts]
    spread = np.array(both["spread"].to_list())
    np.testing.assert_allclose(spread, np.abs(chances[0] - chances[1]) / 2, atol=1e-5)


def test_scores_do_not_depend_on_batches_or_on_which_sites_come_together(run):
    whole = score(run)
    parts = score(run, by={"name": "cell_net", "batch": 3})
    assert whole.drop("score", "spread").equals(parts.drop("score", "spread"))
    np.testing.assert_allclose(logits(parts), logits(whole), rtol=1e-4, atol=1e-5)
    cells = read_table(run.cells, CELLS).filter(pl.col("site_id") == "s07")
    write_table(run.cells, CELLS, cells)
    alone = score(run)
    assert alone.equals(whole.filter(pl.col("site_id") == "s07")), "bit for bit"


def test_threads_change_no_more_than_the_last_digits(run):
    np.testing.assert_allclose(
        logits(score(run, threads=1)), logits(score(run, threads=2)), rtol=1e-4, atol=1e-5
    )


def test_batches_do_not_show_and_rows_of_before_are_taken_over(run):
    whole = score(run)
    job = make_job(run, step="score", name="again")
    ids = sorted(whole["site_id"].unique())
    first = finished(do(step, replace(job, key="one"), ids[3:]), "one")
    step.finish(job, first)
    step.settle(job, {"one"})
    assert step.present(job, first) == [], "what no table holds needs its shard"
    first = merged(first)
    assert len(step.present(job, first)) == len(ids) - 3
    second = finished(do(step, replace(job, key="two"), ids[:3]), "two")
    assert sorted(step.present(job, second)) == ids[:3], "in a shard"
    step.finish(job, {**first, **second})
    step.settle(job, {"one", "two"})
    assert read_table(run.scores("again"), SCORES).equals(whole)
    assert not list((run.temporary / "scores-again").iterdir())


def test_a_table_taken_over_lacks_a_site_that_was_away(run):
    """What was scored before sites had records is there only where the table has its rows."""
    ids = sorted(score(run, name="old")["site_id"].unique())
    job = make_job(run, step="score", name="old")
    old = {site: Finished("", {}, merged=True) for site in ids}
    assert step.present(job, old) == ids
    table = read_table(run.scores("old"), SCORES)
    kept = table.filter(pl.col("site_id") != ids[0])
    write_table(run.scores("old"), SCORES, kept, classes=CLASSES[:2])
    assert step.present(job, old) == ids[1:]
    cells = read_table(run.cells, CELLS).filter(pl.col("site_id") != ids[0])
    write_table(run.cells, CELLS, cells)
    assert step.present(job, old) == ids, "without cells there is nothing to score"


def test_models_are_loaded_once_in_a_process(run, monkeypatch):
    score(run)
    monkeypatch.setattr("cellwise.parts.panel.load_panel", None)
    assert len(score(run)) == 60


def test_eight_views_do_not_care_which_way_up_a_cell_lies(run):
    eight = {"name": "cell_net", "views": "dihedral"}
    upright = score(run, by=eight)
    for number in range(15):
        cells = read_table(run.cells, CELLS).filter(pl.col("site_id") == f"s{number:02d}")
        crops = CropStore(run.crops, cells).read(np.arange(4))
        write_shard(run.crops, f"s{number:02d}", np.rot90(crops, axes=(2, 3))[..., ::-1])
    np.testing.assert_allclose(logits(score(run, by=eight)), logits(upright), rtol=1e-4, atol=1e-4)
    assert not np.allclose(logits(score(run)), logits(upright), atol=1e-3)
    assert (np.array(upright["spread"].to_list()) > 0).any()


def test_channels_are_found_by_key_whatever_their_order(run):
    straight = score(run)
    for number in range(15):
        cells = read_table(run.cells, CELLS).filter(pl.col("site_id") == f"s{number:02d}")
        crops = CropStore(run.crops, cells).read(np.arange(4))
        write_shard(run.crops, f"s{number:02d}", crops[:, ::-1])
    write_channels(run.crops, CHANNELS[::-1])
    assert score(run).equals(straight)


def test_a_missing_channel_is_refused_by_name(run):
    write_channels(run.crops, (CHANNELS[0], CHANNELS[0]))
    with pytest.raises(PreflightError, match="'protein'"):
        score(run)


def test_other_classes_are_refused_by_name(run):
    names = ["ring", "knot", "Negative"]
    run.reading.write_text(json.dumps({"classes": {"names": names, "negative": "Negative"}}))
    with pytest.raises(PreflightError, match="knot"):
        score(run)


def test_crops_of_another_size_are_refused(run):
    for number in range(15):
        write_shard(run.crops, f"s{number:02d}", np.zeros((4, 2, 16, 16)))
    with pytest.raises(PreflightError, match=r"cells\.size=24"):
        score(run)


def test_a_damaged_model_is_refused(run):
    path = run.model("model", 1) / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(FormatError, match="hash"):
        score(run)


def test_a_missing_fold_is_refused_rather_than_scored_by_a_model_that_saw_it(run):
    train(make_job(run, name="three", key="k3", epochs=1), silent)
    shutil.rmtree(run.model("three", 0))
    with pytest.raises(FormatError, match="fold 0"):
        score(run, model="three")


def test_a_model_that_is_not_there_is_named(run):
    with pytest.raises(PreflightError, match="'other'"):
        score(run, model="other")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"by": {"name": "cell_net", "views": "all"}}, "dihedral"),
        ({"by": {"name": "cell_net", "batch": 0}}, "batch"),
        ({"by": "cam"}, "task image"),
        ({"model": "fields"}, "task cell or bag"),
        ({"by": {"name": "cam", "over": "max"}, "model": "fields"}, "sum"),
        ({"threads": 0}, "threads"),
    ],
)
def test_settings_that_do_not_fit_are_refused(run, options, word):
    with pytest.raises(BadOption, match=word):
        score(run, **options)


def test_a_run_without_cells_gets_an_empty_table(run):
    cells = empty_frame(CELLS).with_columns(
        pl.lit(None, pl.String).alias("shard"), pl.lit(None, pl.Int32).alias("row")
    )
    write_table(run.cells, CELLS, cells)
    frame = score(run)
    assert frame.is_empty()
    assert read_classes(run.scores("s"), SCORES) == CLASSES[:2]


def test_new_images_are_scored_by_the_mean_of_a_finished_run(run, tmp_path):
    other = make_run(tmp_path / "new", sites=0, unlabelled=6)
    other.reading.unlink()
    frame = score(other, fitted=run.path)
    assert set(frame["model"]) == {"model/mean"}
    assert frame["fold"].null_count() == len(frame)
    assert macro_accuracy(frame) > 0.9
    known = score(run)
    same = known.filter(pl.col("fold").is_null())
    assert len(same) == 12


def test_class_maps_of_whole_fields_tell_cells_apart(run):
    frame = score(run, model="fields", by={"name": "cam", "views": "dihedral"})
    spots = frame.filter(pl.col("site_id").is_in(["s01", "s04", "s07", "s10"]))
    others = frame.filter(pl.col("site_id").is_in(["s00", "s03", "s06", "s02"]))
    assert np.median(logits(spots)[:, 1]) > np.median(logits(others)[:, 1])
    assert frame["cell_id"].unique().sort().to_list() == [1, 2, 3, 4]


def test_whole_fields_get_one_row_each_from_the_model_that_left_them_out(run):
    frame = score(run, model="fields", by="field_net")
    assert frame["site_id"].n_unique() == len(frame) == 15
    assert set(frame["unit"]) == {"site"}
    assert set(frame["cell_id"]) == {0}, "as in tables of every version"
    assert set(read_scores(run.scores("s"))["cell_id"]) == {None}
    folds = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
    assert dict(frame.select("site_id", "fold").iter_rows()) == folds


def test_class_maps_of_labelled_fields_are_kept_where_asked(run):
    frame = score(run, name="seen", model="fields", by="cam", maps=5)
    kept = read_class_maps(run.class_maps("seen"))
    assert kept.classes == CLASSES[:2]
    assert len(kept.sites) == 5
    labels = [label_of(int(site[1:])) for site in kept.sites]
    assert labels[:4] == ["ring", "spot", "ring", "spot"], "each class in turn"
    assert len(set(kept.sites)) == 5
    # A cell's score is the mean of the map under its mask; the map's own mean lies close by.
    ring = frame.filter(pl.col("site_id") == kept.sites[0])
    assert kept.maps[0, 0].max() > kept.maps[0, 1].max()
    assert logits(ring)[:, 0].mean() > logits(ring)[:, 1].mean()
    score(run, name="seen", model="fields", by="cam")
    assert not run.class_maps("seen").exists(), "an earlier run's maps would be of another model"


def test_scorers_without_maps_cannot_keep_any(run):
    with pytest.raises(BadOption, match="cam only"):
        score(run, maps=3)


def test_maps_are_of_the_model_that_left_the_field_out(run):
    score(run, name="seen", model="fields", by="cam", maps=6)
    kept = read_class_maps(run.class_maps("seen"))
    scores = score(run, name="whole", model="fields", by="field_net")
    for site, class_map in zip(kept.sites, kept.maps.astype(np.float32), strict=True):
        own = logits(scores.filter(pl.col("site_id") == site))[0]
        # The net's logits are the mean of its map.
        np.testing.assert_allclose(class_map.mean((1, 2)), own, atol=2e-2)


def test_a_run_that_lost_its_cells_keeps_no_maps_of_before(run):
    score(run, name="seen", model="fields", by="cam", maps=2)
    write_table(run.cells, CELLS, read_table(run.cells, CELLS).head(0))
    score(run, name="seen", model="fields", by="cam", maps=2)
    assert not run.class_maps("seen").exists()


def test_maps_of_new_images_are_of_labelled_ones_only(run, tmp_path):
    fresh = make_run(tmp_path / "new", sites=0, unlabelled=2)
    score(fresh, name="seen", model="fields", by="cam", maps=2, fitted=run.path)
    assert not fresh.class_maps("seen").exists()
    fresh = make_run(tmp_path / "more", sites=2)
    score(fresh, name="seen", model="fields", by="cam", maps=9, fitted=run.path)
    assert read_class_maps(fresh.class_maps("seen")).sites == ("s00", "s01")


def test_each_class_has_its_turn_and_each_field_comes_once():
    labels = {"d": ["a"], "b": ["a", "c"], "a": ["c"], "e": [], "c": ["a"]}
    assert list(in_turn(labels, ("a", "b", "c"))) == ["b", "a", "c", "d"]
    assert list(in_turn({}, ("a",))) == []


def test_half_the_digits_give_nearly_the_same_scores(run):
    whole, half = logits(score(run)), logits(score(run, precision="bf16"))
    assert half.dtype == np.float32
    assert not np.array_equal(whole, half)
    np.testing.assert_allclose(half, whole, rtol=0, atol=0.05 * whole.std())


def test_models_of_some_folds_score_the_fields_they_left_out_and_new_ones(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    run = RunFolder(tmp_path / "run")
    whole = score(run)
    job = make_job(run, name="half", key="k9", folds=[1], **LEARN)
    assert train(job, silent)["models"] == 1
    assert sorted(path.name for path in run.model("half", 0).parent.iterdir()) == ["fold1"]
    half = score(run, name="h", model="half")
    folds = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
    for site in whole["site_id"].unique():
        own = half.filter(pl.col("site_id") == site)
        assert own.is_empty() == (folds[site] == 0)
        assert set(own["model"]) <= {"half/fold1" if folds[site] == 1 else "half/mean"}
    # The model is the one of that fold of a training of all folds.
    known = whole.filter(pl.col("fold") == 1).drop("model")
    assert known.equals(half.filter(pl.col("fold") == 1).drop("model"))
    with pytest.raises(BadOption, match="folds names 5, and this run has 2"):
        train(make_job(run, name="six", key="k8", folds=[5], **LEARN), silent)


def test_a_mean_of_probabilities_is_the_mean_of_what_views_say_apart(run):
    spec = {"name": "cell_net", "views": "flips"}
    found = score(run, by=spec, combine="probabilities").filter(pl.col("fold") == 0)
    parts = [
        score(run, by={"name": "cell_net", "views": [view]}).filter(pl.col("fold") == 0)
        for view in (0, 2, 4, 6)
    ]
    chances = [1 / (1 + np.exp(-logits(part).astype(float))) for part in parts]
    mean = 1 / (1 + np.exp(-logits(found).astype(float)))
    np.testing.assert_allclose(mean, np.mean(chances, axis=0), atol=1e-5)
