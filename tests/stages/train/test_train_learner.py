"""Learners of vectors as a train step: out of fold, with numbers missing, told from networks."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.stages.train.learn_world import make_job, make_run, silent
from tests.stages.train.test_train_vectors import accuracy, embed, scored

from cellwise.domain.tables import CELLS, EMBEDDINGS, FOLDS, LABELS
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.parts.panel import load_panel
from cellwise.stages.score.spec import Options as ScoreOptions
from cellwise.stages.train._forecast import seconds_to_learn
from cellwise.stages.train.spec import Options
from cellwise.stages.train.step import key_parts, whole
from cellwise.stages.train.step import work as train
from cellwise.store.run.embeddings import Embeddings, index_path, seal, write_vectors
from cellwise.store.run.models import WEIGHTS_FILE, read_card, read_model
from cellwise.store.run.tables import read_classes, read_table, write_table

HEAD = {"task": "vectors", "embeddings": "e", "learner": "kernel_ridge"}
# What the world's training options say of networks.
OF_NETWORKS = ("net", "loss", "augment", "epochs", "batch", "learning_rate")


def job_of(run, **options):
    job = make_job(run, **{**HEAD, **options})
    plain = {key: value for key, value in job.options.items() if key not in OF_NETWORKS}
    return replace(job, options=plain)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("learner"), unlabelled=3)
    embed(run)
    return run


def by_learner(run):
    return scored(run, by="vector_learner")


def with_gaps(run, rows, *, first=4):
    """The same vectors; some cells lack the numbers from `first` on."""
    kept = Embeddings(run.embeddings("e"))
    vectors = kept.read(np.arange(len(kept)))
    vectors[rows, first:] = np.nan
    shard = write_vectors(run.embeddings("e"), "gaps", vectors, dtype="float32", missing=True)
    frame = kept.index.with_columns(pl.lit(shard).alias("shard"))
    write_table(index_path(run.embeddings("e")), EMBEDDINGS, frame)
    seal(run.embeddings("e"), frame, "float32", {"missing": True})


def test_cells_are_told_apart_out_of_fold(run):
    train(job_of(run), silent)
    frame = by_learner(run)
    assert len(frame) == 60
    assert accuracy(frame) > 0.9
    folds = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
    for site, fold, model in frame.select("site_id", "fold", "model").unique().iter_rows():
        assert fold == folds[site]
        assert model == ("model/mean" if fold is None else f"model/fold{fold}")
    card = read_card(run.model("model", 0))
    assert (card.learner, card.net, card.crop) == ("kernel_ridge", "", {"length": 6})
    assert card.training["items"] == 24


def test_its_arrays_say_what_the_learner_said(run):
    train(job_of(run), silent)
    folds = read_table(run.folds, FOLDS).filter(pl.col("fold") == 1)["site_id"].to_list()
    cells = read_table(run.cells, CELLS)
    inside = np.flatnonzero(cells["site_id"].is_in(folds).to_numpy())
    key = ["site_id", "cell_id"]
    given = cells.join(read_table(run.labels("label"), LABELS), on=key, how="left")
    labels = np.array(given.sort(key)["label"].to_list()[:48], np.float32)
    vectors = Embeddings(run.embeddings("e")).read(np.arange(len(cells)))
    model = load_panel(run, "model", "cpu").models[0]
    ready = (vectors - vectors[inside].mean(0)) / vectors[inside].std(0)
    squares = np.square(ready[:, None] - ready[inside].astype(float)).sum(2)
    own = squares[inside]
    rate = 0.5 / np.median(own[np.triu_indices(len(own), 1)])
    mean = labels[inside].mean(0)
    share = np.linalg.solve(np.exp(-rate * own) + 0.2 * np.eye(len(own)), labels[inside] - mean)
    expected = np.exp(-rate * squares) @ share + mean
    found = model.predictor.fitted.predict(vectors)
    plain = (expected > 0.02) & (expected < 0.98)
    np.testing.assert_allclose(found[plain], expected[plain], atol=1e-3)


def test_the_same_run_has_the_same_arrays_and_lost_ones_are_noticed(run):
    job = job_of(run)
    counts = train(job, silent)
    first = read_model(run.model("model", 0))[1]
    (run.model("model", 0) / WEIGHTS_FILE).unlink()
    assert not whole(job, counts)
    train(job, silent)
    assert whole(job, counts)
    for name, array in read_model(run.model("model", 0))[1].items():
        np.testing.assert_array_equal(array, first[name])
    (run.model("model", 0) / WEIGHTS_FILE).write_bytes(b"torn")
    with pytest.raises(FormatError, match="hash differs"):
        by_learner(run)


def test_cells_that_lack_numbers_are_learned_and_scored(tmp_path):
    run = make_run(tmp_path, unlabelled=3)
    embed(run)
    with_gaps(run, np.arange(0, 60, 4))
    with pytest.raises(BadOption, match="learner=kernel_ridge"):
        train(make_job(run, **{**HEAD, "learner": "", "net": "linear"}), silent)
    train(job_of(run), silent)
    frame = by_learner(run)
    assert len(frame) == 60
    assert accuracy(frame) > 0.8


def test_cells_of_which_nothing_was_measured_teach_nothing(tmp_path):
    learned = []
    for place in ("nothing", "nobody"):
        run = make_run(tmp_path / place)
        embed(run)
        with_gaps(run, np.arange(0, 48, 4), first=0)
        if place == "nobody":
            given = read_table(run.labels("label"), LABELS)
            lacking = pl.int_range(pl.len()) % 4 == 0
            given = given.with_columns(weight=pl.when(lacking).then(0.0).otherwise("weight"))
            write_table(
                run.labels("label"),
                LABELS,
                given,
                classes=read_classes(run.labels("label"), LABELS),
            )
        train(job_of(run), silent)
        learned.append(read_model(run.model("model", 0)))
    assert learned[0][0].training["items"] == learned[1][0].training["items"]
    for name, array in learned[0][1].items():
        np.testing.assert_array_equal(array, learned[1][1][name])


def test_models_of_vectors_are_keyed_by_the_library_that_grows_their_trees(monkeypatch):
    networks = key_parts({"task": "cell", "learner": ""}, "cpu")
    assert networks == [], "keys of old runs stay"
    trees = {**HEAD, "learner": {"name": "boosting", "trees": 3}}
    monkeypatch.setattr("cellwise.stages.train.step.find_spec", lambda name: name == "lightgbm")
    monkeypatch.setattr("cellwise.stages.train.step.version", lambda name: f"{name} 9")
    assert key_parts(trees, "cpu")[-1] == "lightgbm lightgbm 9"
    assert len(key_parts(HEAD, "cpu")) == 1


def test_what_a_learner_would_pass_over_is_refused(run):
    for odd in ({"net": "linear"}, {"epochs": 3}, {"loss": "focal"}, {"validate": 0.2}):
        with pytest.raises(BadOption, match=f"{next(iter(odd))} is an option of networks"):
            Options.of({**HEAD, "labels": "l", **odd})
    for odd in ({"labels": ""}, {"embeddings": ""}, {"task": "cell"}):
        with pytest.raises(BadOption, match="a learner goes with"):
            Options.of({**HEAD, "labels": "l", **odd})
    with pytest.raises(BadOption, match="no option 'ridges'"):
        Options.of({**HEAD, "labels": "l", "learner": {"name": "kernel_ridge", "ridges": 1}})
    learned = Options.of({**HEAD, "labels": "l"})
    network = Options.of({"task": "vectors", "net": "linear", "embeddings": "e"})
    for by, model in (("vector_net", learned), ("vector_learner", network)):
        score = ScoreOptions.of({"model": "m", "by": by, "embeddings": "e"})
        with pytest.raises(BadOption, match="does not go with model 'm'"):
            score.check_named({"model: m": model})


def test_cells_that_are_all_alike_are_refused(tmp_path):
    run = make_run(tmp_path)
    embed(run)
    kept = Embeddings(run.embeddings("e"))
    shard = write_vectors(run.embeddings("e"), "even", np.ones((48, 6)), dtype="float32")
    frame = kept.index.with_columns(pl.lit(shard).alias("shard"))
    write_table(index_path(run.embeddings("e")), EMBEDDINGS, frame)
    seal(run.embeddings("e"), frame, "float32", {})
    with pytest.raises(PreflightError, match="are the same"):
        train(job_of(run), silent)


def test_a_learner_has_no_features_to_give(run):
    train(job_of(run), silent)
    model = load_panel(run, "model", "cpu").models[0]
    with pytest.raises(BadOption, match="no network"):
        _ = model.network


def test_more_cells_are_forecast_to_take_longer():
    assert seconds_to_learn("kernel_ridge", 0, 3) == 0
    assert (
        0 < seconds_to_learn("kernel_ridge", 200, 3) < seconds_to_learn("kernel_ridge", 20_000, 3)
    )


def _with_labels_without_folds(run, seed):
    """The labels table with a column per fold; those of cells of fold 0 by chance."""
    table = read_table(run.labels("label"), LABELS, columns=list(LABELS.columns))
    folds = read_table(run.folds, FOLDS).select("site_id", "fold")
    table = table.join(folds, on="site_id", how="left", maintain_order="left")
    label = table["label"].to_numpy()
    random = np.random.default_rng(seed)
    own = (table["fold"] == 0).to_numpy()
    label = np.where(own[:, None], random.random(label.shape), label).astype(np.float32)
    vector = table["label"].dtype
    given = pl.Series("label", label, dtype=vector)
    apart = [
        pl.when(table["fold"] != fold).then(given).alias(f"label_without_{fold}") for fold in (0, 1)
    ]
    table = table.with_columns(given, *apart).drop("fold")
    write_table(run.labels("label"), LABELS, table, classes=("ring", "spot"))


def test_a_fold_learns_from_labels_made_without_it(tmp_path):
    run = make_run(tmp_path)
    embed(run)
    arrays = []
    for seed in (1, 2):
        _with_labels_without_folds(run, seed)
        train(replace(job_of(run), key=f"k{seed}"), silent)
        arrays.append([(run.model("model", fold) / WEIGHTS_FILE).read_bytes() for fold in (0, 1)])
    assert arrays[0][0] == arrays[1][0], "labels of its own fields are nothing to it"
    assert arrays[0][1] != arrays[1][1]
