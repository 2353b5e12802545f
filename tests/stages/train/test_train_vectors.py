"""Heads on embeddings: learned out of fold, scored by those that left a field out, resumed."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from tests.stages.train.learn_world import CLASSES, label_of, make_job, make_run, silent

from cellwise.domain.steps import Finished
from cellwise.domain.tables import CELLS, EMBEDDINGS, FOLDS, SCORES
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.parts.nets import nets
from cellwise.stages.score import step as score
from cellwise.stages.train.step import work as train
from cellwise.store.run.crops import CropStore
from cellwise.store.run.embeddings import Embeddings, index_path, seal, write_vectors
from cellwise.store.run.models import read_card, read_model
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table, write_table

HEAD = {"task": "vectors", "net": "linear", "embeddings": "e", "epochs": 30, "learning_rate": 0.05}


def embed(run, *, skip=(), models=("",)):
    """Mean and spread of each channel, in rings about the middle: enough to tell the classes."""
    cells = read_table(run.cells, CELLS)
    crops = CropStore(run.crops, cells).read(np.arange(len(cells)))
    y, x = np.mgrid[: crops.shape[2], : crops.shape[3]] - crops.shape[2] // 2 + 0.5
    away = np.hypot(y, x)
    rings = [crops[:, :, (away >= a) & (away < a + 4)].mean(2) for a in (0, 4, 8)]
    vectors = 1e3 * np.concatenate(rings, axis=1)
    kept = ~cells["cell_id"].is_in(list(skip)).to_numpy()
    shard = write_vectors(run.embeddings("e"), "all", vectors[kept], dtype="float32")
    some = cells.filter(pl.Series(kept)).select("site_id", "cell_id")
    count = some.height
    frame = some.with_columns(
        pl.lit("cell").alias("unit"),
        pl.lit(shard).alias("shard"),
        pl.int_range(count, dtype=pl.Int32).alias("row"),
        pl.lit(6, pl.Int32).alias("length"),
        pl.lit(None, pl.Int32).alias("fold"),
        pl.Series("model", [models[n % len(models)] for n in range(count)]),
    )
    write_table(index_path(run.embeddings("e")), EMBEDDINGS, frame)
    seal(run.embeddings("e"), frame, "float32", {})


@pytest.fixture
def run(tmp_path):
    run = make_run(tmp_path, unlabelled=3)
    embed(run)
    return run


def declare_missing(run):
    """The card says that numbers may be missing."""
    card = run.embeddings("e") / "embeddings.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "missing": True}))


def scored(run, **options):
    chosen = {"by": "vector_net", "embeddings": "e", "model": "model", **options}
    job = make_job(run, step="score", name="s", **chosen)
    records = score.work(read_sites(run.sites), job)
    score.finish(job, {r.site_id: Finished(job.key, r.counts) for r in records})
    return read_table(run.scores("s"), SCORES)


def accuracy(frame):
    truth = [CLASSES.index(label_of(int(site[1:]))) for site in frame["site_id"]]
    chances = 1 / (1 + np.exp(-np.array(frame["score"].to_list())))
    found = np.c_[chances, 1 - chances.max(1)].argmax(1)
    return float((found == np.array(truth)).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"net": {"name": "perceptron", "hidden": 16}, "learning_rate": 0.01},
        {"loss": "softmax"},
        {"task": {"name": "vectors", "bag": 4}, "labels": "", "batch": 3},
    ],
)
def test_cells_are_told_apart_out_of_fold(run, options):
    train(make_job(run, **{**HEAD, **options}), silent)
    frame = scored(run)
    assert len(frame) == 60
    assert accuracy(frame) > (0.6 if options.get("loss") else 0.9)
    folds = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
    for site, fold, model in frame.select("site_id", "fold", "model").unique().iter_rows():
        assert fold == folds[site]
        assert model == ("model/mean" if fold is None else f"model/fold{fold}")


def test_the_card_keeps_the_statistics_of_the_training_items(run):
    train(make_job(run, **HEAD), silent)
    card = read_card(run.model("model", 0))
    assert (card.inputs, card.channels, card.crop) == (6, (), {"length": 6})
    cells = read_table(run.cells, CELLS)
    folds = read_table(run.folds, FOLDS).filter(pl.col("fold") == 1)["site_id"]
    inside = cells["site_id"].is_in(folds.to_list()).to_numpy()
    vectors = Embeddings(run.embeddings("e")).read(np.flatnonzero(inside)).astype(np.float64)
    np.testing.assert_allclose(card.normalisation["mean"], vectors.mean(0), rtol=1e-6)
    np.testing.assert_allclose(card.normalisation["std"], vectors.std(0), rtol=1e-6)


@pytest.mark.slow
def test_a_stopped_training_ends_with_the_same_weights(run):
    train(make_job(run, **HEAD, batch=8), silent)
    whole = read_model(run.model("model", 1))[1]

    def stop(done, total, note):
        if done > total * 0.7:
            raise InterruptedError

    job = make_job(run, name="again", **HEAD, batch=8)
    with pytest.raises(InterruptedError):
        train(job, stop)
    train(job, silent)
    again = read_model(run.model("again", 1))[1]
    for name, weights in whole.items():
        np.testing.assert_array_equal(again[name], weights)


def test_cells_without_a_vector_are_neither_learned_nor_scored(run):
    embed(run, skip=(2,))
    train(make_job(run, **HEAD), silent)
    frame = scored(run)
    assert set(frame["cell_id"]) == {1, 3, 4}
    assert read_card(run.model("model", 0)).training["items"] == 18


def test_fields_of_which_none_shows_a_cell_have_no_scores_and_no_error(run):
    train(make_job(run, **{**HEAD, "epochs": 1}), silent)
    # As where a finished run is applied to images without a cell.
    write_table(run.cells, CELLS, read_table(run.cells, CELLS).clear())
    index = read_table(index_path(run.embeddings("e")), EMBEDDINGS).clear()
    write_table(index_path(run.embeddings("e")), EMBEDDINGS, index)
    seal(run.embeddings("e"), index, "float32", {})
    assert scored(run).is_empty()


def test_what_does_not_fit_is_refused(run):
    with pytest.raises(BadOption, match="embeddings: <embed step>"):
        train(make_job(run, **{**HEAD, "embeddings": ""}), silent)
    with pytest.raises(FormatError, match="no embeddings"):
        train(make_job(run, **{**HEAD, "embeddings": "other"}), silent)
    with pytest.raises(BadOption, match="augmentations are of pixels"):
        train(make_job(run, **HEAD, augment=["gain"]), silent)
    with pytest.raises(BadOption, match="cannot see pixels"):
        nets.build("linear")(2, 2)(torch.zeros(1, 2, 4, 4))
    for options in ({"net": "linear"}, {"task": "vectors", "embeddings": "e"}):
        with pytest.raises(BadOption, match="go with the task vectors"):
            train(make_job(run, **options), silent)
    embed(run, models=("m/fold0", "m/fold1"))
    with pytest.raises(BadOption, match="several networks"):
        train(make_job(run, **HEAD), silent)
    embed(run, skip=(1, 2, 3, 4))
    with pytest.raises(PreflightError, match="none of the 48 labelled cells"):
        train(make_job(run, **HEAD), silent)


@pytest.mark.parametrize("missing", [False, True])
def test_vectors_that_are_all_the_same_are_refused(run, missing):
    index = read_table(index_path(run.embeddings("e")), EMBEDDINGS)
    same = np.full((len(index), 6), 3.5, np.float32)
    same[:, 2] = np.nan if missing else 0
    shard = write_vectors(run.embeddings("e"), "same", same, dtype="float32", missing=missing)
    frame = index.with_columns(
        pl.lit(shard).alias("shard"), pl.int_range(len(index), dtype=pl.Int32).alias("row")
    )
    write_table(index_path(run.embeddings("e")), EMBEDDINGS, frame)
    seal(run.embeddings("e"), frame, "float32", {"missing": missing})
    filled = {"normalise": "filled"} if missing else {}
    with pytest.raises(PreflightError, match=r"labelled cells in .e. are the same"):
        train(make_job(run, **HEAD, **filled), silent)


def test_a_run_segmented_anew_is_refused(run):
    train(make_job(run, **HEAD), silent)
    write_table(run.cells, CELLS, read_table(run.cells, CELLS).filter(pl.col("cell_id") != 3))
    with pytest.raises(FormatError, match="cell 3 of s00, which is not in the run"):
        scored(run)
    with pytest.raises(FormatError, match="cell 3 of s00, which is not in the run"):
        train(make_job(run, **HEAD, key="other"), silent)


def test_models_of_vectors_and_of_pixels_have_their_own_scorers(run):
    train(make_job(run, **HEAD), silent)
    train(make_job(run, name="pixels", key="k2", epochs=1), silent)
    with pytest.raises(BadOption, match="was trained on vectors, this scorer shows pixels"):
        scored(run, by="cell_net")
    with pytest.raises(BadOption, match="'vector_learner', and embeddings"):
        scored(run, embeddings="")
    with pytest.raises(BadOption, match="was trained on pixels, this scorer shows vectors"):
        scored(run, model="pixels")


def test_networks_refuse_vectors_with_missing_numbers_and_say_what_takes_them(run):
    train(make_job(run, **{**HEAD, "epochs": 1}), silent)
    declare_missing(run)
    with pytest.raises(BadOption, match=r"numbers may be missing.*train\.learner=kernel_ridge"):
        train(make_job(run, **HEAD, key="other"), silent)
    with pytest.raises(PreflightError, match=r"reads whole vectors only.*vector_learner"):
        scored(run)


def test_a_network_takes_the_mean_for_numbers_that_are_missing_where_it_is_told_to(run):
    kept = Embeddings(run.embeddings("e"))
    vectors = kept.read(np.arange(len(kept)))
    vectors[::5, 4:] = np.nan
    shard = write_vectors(run.embeddings("e"), "gaps", vectors, dtype="float32", missing=True)
    frame = kept.index.with_columns(pl.lit(shard).alias("shard"))
    write_table(index_path(run.embeddings("e")), EMBEDDINGS, frame)
    seal(run.embeddings("e"), frame, "float32", {"missing": True})
    train(make_job(run, **{**HEAD, "normalise": "filled"}), silent)
    values = np.array(scored(run)["score"].to_list())
    assert len(values) == len(kept)
    assert np.isfinite(values).all()


def test_filled_is_refused_for_pixels(run):
    with pytest.raises(BadOption, match="filled is of vectors"):
        train(make_job(run, name="pixels", key="k2", epochs=1, normalise="filled"), silent)
