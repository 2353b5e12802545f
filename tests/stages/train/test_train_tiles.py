"""Learning tiles of whole sites: models of cell types, epochs judged by experiments, brightness."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.stages.train.learn_world import make_job, make_run, silent, write_folds

from cellwise.domain.steps import Finished, Job
from cellwise.domain.tables import SCORES, SITES, STATISTICS
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.panel import load_panel
from cellwise.parts.tasks import tasks, tile
from cellwise.stages.adapt.step import work as adapt
from cellwise.stages.score.step import finish as finish_score
from cellwise.stages.score.step import work as score
from cellwise.stages.statistics.step import finish as finish_statistics
from cellwise.stages.statistics.step import work as measure
from cellwise.stages.train._model import groups_of
from cellwise.stages.train._sources import Choice, collect
from cellwise.stages.train.spec import Options
from cellwise.stages.train.step import whole, work
from cellwise.store.run.models import read_beside, read_card, read_model
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table, write_table

TASK = {"name": "tile", "size": 64, "tile": 32}
QUICK = {
    "labels": "",
    "task": TASK,
    "loss": {"name": "softmax", "none": False},
    "normalise": "self",
    "balance": "none",
    "epochs": 2,
    "cache": "uint8",
}
SCREEN = 18


@pytest.fixture
def run(tmp_path):
    """Eighteen sites: experiments of two cell types, two plates each, the last site a control."""
    run = make_run(tmp_path, sites=SCREEN, folds=3)
    number = pl.col("site_id").str.slice(1).cast(pl.Int32)
    kind = pl.when(number % 2 == 0).then(pl.lit("HUVEC")).otherwise(pl.lit("RPE"))
    experiment = pl.concat_str(kind, pl.lit("-"), (number // 6 + 1).cast(pl.String))
    control = pl.when(number == SCREEN - 1).then(pl.lit("negative_control"))
    frame = read_table(run.sites, SITES).with_columns(
        kind.alias("Metadata_CellType"),
        experiment.alias("Metadata_Experiment"),
        (number // 3 % 2 + 1).cast(pl.String).alias("Metadata_Plate"),
        pl.concat_str(pl.lit("B0"), (number % 3).cast(pl.String)).alias("Metadata_Well"),
        control.otherwise(pl.lit("treatment")).alias("Metadata_WellType"),
    )
    # Classes that compete: no Negative.
    write_table(run.sites, SITES, frame)
    names = ["Negative", "ring", "spot"]
    run.reading.write_text(json.dumps({"classes": {"names": names, "negative": None}}))
    return run


def job_of(run, **options):
    return make_job(run, **{**QUICK, **options})


def scored(run, model="model"):
    job = make_job(run, step="score", name="score", model=model, by="tiles")
    sites = read_sites(run.sites)
    records = score(sites, job)
    finish_score(job, {r.site_id: Finished(job.key, r.counts) for r in records})
    return read_table(run.scores("score"), SCORES)


def test_each_cell_type_has_a_model_that_begins_with_the_epoch_best_for_it(run):
    judged = {"validate_on": "next_fold", "keep_parts": True}
    work(job_of(run, name="all", folds=[0], **judged), silent)
    folder = run.model("all", 0)
    card, kept = read_model(folder)
    assert set(card.training["parts"][0]) == {"HUVEC", "RPE"}
    best = card.training["best_of"]
    for kind, epoch in best.items():
        history = [part[kind] for part in card.training["parts"]]
        assert history[epoch - 1] <= min(history) * 1.001
        assert set(read_beside(folder, kind)) == set(kept)
    assert read_beside(folder, "U2OS") is None
    tuned = job_of(run, name="tuned", start="all", per="Metadata_CellType", folds=[0], epochs=1,
                   learning_rate=1e-12)  # fmt: skip
    counts = work(tuned, silent)
    assert counts["models"] == 2
    assert whole(tuned, counts)
    for kind in ("HUVEC", "RPE"):
        card, weights = read_model(run.model("tuned", 0, kind))
        assert card.part == {"column": "Metadata_CellType", "value": kind}
        assert card.training["sites"] == 6
        for name, value in read_beside(folder, kind).items():
            np.testing.assert_allclose(weights[name], value, atol=1e-5)
    rows = scored(run, "tuned")
    kinds = dict(read_table(run.sites, SITES).select("site_id", "Metadata_CellType").rows())
    # Fields of the folds that all models have seen have no score.
    assert len(rows) == 6
    assert all(row["model"] == f"tuned/fold0-{kinds[row['site_id']]}" for row in rows.to_dicts())


def test_a_model_of_the_wrong_cell_type_is_asked_only_where_there_is_no_other(run):
    work(job_of(run, per="Metadata_CellType", folds=[1], epochs=1), silent)
    panel = load_panel(run, "model", "cpu")
    assert [m.card.part["value"] for m in panel.choose(1, "RPE").models] == ["RPE"]
    assert len(panel.choose(1, "U2OS").models) == 2
    assert len(panel.choose(None, "HUVEC").models) == 1
    with pytest.raises(BadOption, match="no column 'Metadata_Celltype'"):
        work(job_of(run, per="Metadata_Celltype"), silent)


def test_experiments_that_judge_are_not_learned_from(run):
    work(job_of(run, validate_on=["HUVEC-02", "RPE-9"], folds=[2], cache=""), silent)
    card = read_card(run.model("model", 2))
    # Twelve sites without the fold; of the experiment's s06, s08 and s10 the last is among them.
    assert card.training["sites"] == 12 - 1
    assert set(card.training["parts"][0]) == {"HUVEC"}
    with pytest.raises(BadOption, match="validate_on names RPE-9"):
        work(job_of(run, validate_on=["RPE-9"], key="k2"), silent)


def test_controls_that_are_left_out_are_never_the_answer(run):
    frame = read_table(run.sites, SITES)
    lonely = pl.when(pl.col("site_id") == "s17").then(["Negative"]).otherwise(["ring"])
    learned = pl.col("labels").list.contains("Negative")
    frame = frame.with_columns(
        labels=pl.when(learned).then(lonely).otherwise("labels"),
    )
    write_table(run.sites, SITES, frame)
    work(job_of(run, controls="left_out", folds=[0]), silent)
    card = read_card(run.model("model", 0))
    assert card.training["never_seen"] == ["Negative"]
    rows = scored(run)
    vectors = rows["score"].to_numpy()
    assert (vectors[:, card.classes.index("Negative")] == -1e4).all()
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("by", ["image", "plate", "experiment", "controls"])
def test_brightness_of_a_site_is_that_of_its_group_in_training_and_scoring(run, by):
    if by == "controls":
        frame = read_table(run.sites, SITES)
        # One on each of the twelve plates.
        first = (pl.col("site_id").str.slice(1).cast(pl.Int32) % 6).is_in([0, 1, 3, 4])
        kind = pl.when(first).then(pl.lit("negative_control")).otherwise(pl.lit("treatment"))
        write_table(run.sites, SITES, frame.with_columns(kind.alias("Metadata_WellType")))
    job = make_job(run, name="statistics")
    job = replace(job, options={})
    records = measure(read_sites(run.sites), job)
    counts = finish_statistics(job, {r.site_id: Finished(job.key, r.counts) for r in records})
    assert counts["rows"] == 2 * SCREEN
    work(job_of(run, normalise=by, folds=[0]), silent)
    card = read_card(run.model("model", 0))
    assert card.normalisation["levels"]["by"] == by
    assert card.normalisation["mode"] == "standard"
    assert len(scored(run)) == 6
    statistics = read_table(run.statistics, STATISTICS)
    run.statistics.unlink()
    with pytest.raises(PreflightError, match="Put a step 'statistics'"):
        scored(run)
    write_table(run.statistics, STATISTICS, statistics.filter(pl.col("site_id") != "s00"))
    if by == "image":
        with pytest.raises(PreflightError, match="no statistics of s00"):
            scored(run)


def test_classes_of_one_group_of_plates_are_known_to_the_loss(run):
    frame = read_table(run.sites, SITES)
    group = pl.when(pl.col("Metadata_Plate") == "1").then(["ring"]).otherwise(["spot"])
    write_table(run.sites, SITES, frame.with_columns(labels=group))
    found = collect(job_of(run), tasks.build(TASK), labels="", choice=Choice("all", ()))
    groups = dict(zip(found.classes.positive, groups_of(found), strict=True))
    assert groups["ring"] != groups["spot"]
    assert groups["Negative"] == -1
    work(job_of(run, loss="group_softmax", folds=[0], epochs=1), silent)


def test_a_training_of_tiles_goes_on_where_it_was_stopped(run):
    options = {"validate_on": "next_fold", "keep_parts": True, "average_from": 1, "folds": [0]}
    work(job_of(run, name="whole", epochs=3, **options), silent)

    class Stop(Exception):
        pass

    def until_second(done, total, note):
        if "epoch 3" in note:
            raise Stop

    job = job_of(run, name="cut", epochs=3, **options)
    with pytest.raises(Stop):
        work(job, until_second)
    work(job, silent)
    whole_, cut = (read_model(run.model(name, 0))[1] for name in ("whole", "cut"))
    for name, value in whole_.items():
        np.testing.assert_array_equal(value, cut[name])
    for kind in ("HUVEC", "RPE"):
        one, two = (read_beside(run.model(name, 0), kind) for name in ("whole", "cut"))
        assert all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"normalise": "plate", "task": "cell"}, "whole sites"),
        ({"validate_on": "last_fold"}, "next_fold"),
        ({"validate_on": ["A"], "validate": 0.1}, "not both"),
        ({"average": 0.9, "average_from": 2}, "not both"),
        ({"judge_weights": {"RPE": -1}}, "not negative"),
        ({"judge_weights": {"RPE": 0}}, "above 0"),
        ({"task": {"name": "tile", "size": 100, "tile": 64}}, "multiple"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, said):
    with pytest.raises(BadOption, match=said):
        tasks.build(Options.of({**QUICK, **options}).task)


def test_two_sites_of_a_well_and_a_control_beside_them_are_learned_together(run, monkeypatch):
    """What reaches the network, seen from a batch: tiles of one well, then one of its control."""
    frame = read_table(run.sites, SITES)
    number = pl.col("site_id").str.slice(1).cast(pl.Int32)
    control = number % 6 >= 4
    kind = pl.when(control).then(pl.lit("negative_control")).otherwise(pl.lit("treatment"))
    frame = frame.with_columns(
        kind.alias("Metadata_WellType"),
        # Two sites in a well: 0 and 1, 2 and 3, and two controls.
        (number % 6 // 2).cast(pl.String).alias("Metadata_Well"),
        (number // 6).cast(pl.String).alias("Metadata_Plate"),
        pl.lit("A").alias("Metadata_Experiment"),
        pl.lit("A").alias("Metadata_CellType"),
        labels=pl.when(control).then(["Negative"]).when(number % 6 < 2).then(["ring"])
        .otherwise(["spot"]),
    )  # fmt: skip
    write_table(run.sites, SITES, frame)
    write_folds(run, {f"s{k:02d}": k // 6 for k in range(SCREEN)})
    seen = []
    plain = tile.company_loss

    def watched(logits, truth, loss, **options):
        seen.append((truth.targets, options))
        return plain(logits, truth, loss, **options)

    monkeypatch.setattr(tile, "company_loss", watched)
    task = {**TASK, "sites": 2, "control": 0.1}
    work(job_of(run, task=task, folds=[0], epochs=1, batch=3, threads=1), silent)
    for targets, options in seen:
        assert options == {"sites": 2, "control": 0.1}
        samples = targets.unflatten(0, (-1, 3))
        assert (samples[:, 0] == samples[:, 1]).all()
        assert (samples[:, 2, 0] == 1).all()
        assert (samples[:, :2, 0] == 0).all()
    # Two plates of two treated wells are learned from.
    assert sum(len(targets) for targets, _ in seen) == 3 * 4
    assert len(scored(run)) == 6
    with pytest.raises(BadOption, match="controls are left out"):
        Options.of({**QUICK, "task": task, "controls": "left_out"})


def test_a_network_is_told_the_cell_type_of_a_site_wherever_it_looks(run):
    """All fields are black: what is left out is answered by what the network is told of it."""
    for path in (run.path.parent / "images").iterdir():
        Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    kind = pl.col("Metadata_CellType")
    frame = read_table(run.sites, SITES)
    frame = frame.with_columns(labels=pl.when(kind == "RPE").then(["ring"]).otherwise(["spot"]))
    write_table(run.sites, SITES, frame)
    net = {"name": "tiny", "width": 8, "norm": "batch"}
    options = {"epochs": 20, "learning_rate": 0.1, "validate_on": "next_fold", "net": net}
    work(job_of(run, covariate="Metadata_CellType", folds=[0], **options), silent)
    card = read_card(run.model("model", 0))
    assert card.covariate == {"column": "Metadata_CellType", "values": ["HUVEC", "RPE"]}
    images, options = run.path.parent / "images", {"model": "model", "threads": 1}
    adapt(Job(run.path, images, "adapt", options, "k", 0), silent)
    answers = {"RPE": "ring", "HUVEC": "spot"}
    first = answered(scored(run), card)
    kinds = dict(frame.select("site_id", "Metadata_CellType").rows())
    assert first == {site: answers[kinds[site]] for site in first}
    swapped = {"RPE": "HUVEC", "HUVEC": "RPE"}
    write_table(run.sites, SITES, frame.with_columns(kind.replace_strict(swapped)))
    again = answered(scored(run), card)
    assert again == {site: answers[swapped[kinds[site]]] for site in first}
    with pytest.raises(BadOption, match="no column 'Metadata_Celltype' to tell"):
        work(job_of(run, covariate="Metadata_Celltype"), silent)
    with pytest.raises(BadOption, match="of the task tile"):
        Options.of({"covariate": "Metadata_CellType", "labels": "label"})


def answered(rows, card):
    """The largest logit of each site."""
    best = rows["score"].to_numpy().argmax(axis=1)
    return {site: card.classes[k] for site, k in zip(rows["site_id"], best, strict=True)}


@pytest.mark.slow
def test_arcface_is_learned_in_each_of_three_ways(run):
    """Softmax and then ArcFace; both of one head, 0.8 to 0.2; and each of its own head."""
    arcface = {"name": "backbone", "model": "resnet10t", "head": {"name": "arcface", "size": 8}}
    two = {**arcface, "head": {"name": "softmax_and_arcface", "size": 8}}
    both = [{"name": "softmax", "none": False}, "arcface"]
    # Nothing is learned, so that all see the same weights.
    common = {"folds": [0], "epochs": 1, "net": arcface, "learning_rate": 1e-12}
    work(job_of(run, name="plain", **common), silent)
    work(job_of(run, name="then", start="plain", loss="arcface", **common), silent)
    mixed = {"name": "weighted_sum", "of": both, "weights": [0.8, 0.2]}
    work(job_of(run, name="mixed", loss=mixed, **common), silent)
    apart = {"name": "two_heads", "of": both, "weights": [0.8, 0.2]}
    work(job_of(run, name="apart", **{**common, "net": two}, loss=apart,
                validate_on="next_fold"), silent)  # fmt: skip
    losses_ = {
        name: read_card(run.model(name, 0)).training["losses"][0]
        for name in ("plain", "then", "mixed", "apart")
    }
    wanted = 0.8 * losses_["plain"] + 0.2 * losses_["then"]
    assert losses_["mixed"] == pytest.approx(wanted, rel=1e-4)
    # The margin makes the same answers dearer.
    assert losses_["plain"] < losses_["then"]
    assert len(scored(run, "apart")) == 6
    weights = read_model(run.model("apart", 0))[1]
    again = read_model(run.model("apart", 0))[0].training["validation"]
    assert np.isfinite(again).all()
    assert {"head.direction", "head.score.weight"} <= set(weights)
