"""The train step on a small world: what it writes and refuses, and that settings do as they say."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.stages.site_steps import all_of
from tests.stages.train.learn_world import (
    CLASSES,
    draw,
    make_job,
    make_run,
    silent,
    write_folds,
    write_labels,
)

from cellwise.domain.tables import CELLS, FOLDS, LABELS, SCORES
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.stages.score import step as score
from cellwise.stages.train import _plan as plans
from cellwise.stages.train.spec import SHELVES, Options
from cellwise.stages.train.step import work
from cellwise.store.run.crops import write_shard
from cellwise.store.run.models import read_card, read_model
from cellwise.store.run.tables import read_table, write_table


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def card_of(run, name="model", fold=0):
    return read_card(run.model(name, fold))


def test_one_model_for_each_fold_left_out_with_all_that_predicting_needs(run):
    counts = work(make_job(run), silent)
    assert counts["models"] == 2
    card, weights = read_model(run.model("model", 1))
    assert (card.classes, card.negative, card.fold) == (CLASSES[:2], "Negative", 1)
    assert [(c.name, c.role) for c in card.channels] == [("dna", "nucleus"), ("gfp", "protein")]
    assert card.training["sites"] == 6
    assert card.training["epochs"] == 3
    assert card.training["losses"][-1] < card.training["losses"][0]
    assert card.crop["size"] == 24
    assert len(card.normalisation["mean"]) == 2
    assert weights["head.weight"].shape[0] == 2
    assert not (run.temporary / "model-k1").exists(), "checkpoints are gone"


@pytest.mark.parametrize("how", ["no folds", "one fold"])
def test_without_two_folds_there_is_one_model_of_all(run, how):
    if how == "no folds":
        run.folds.unlink()
    else:
        write_folds(run, {f"s{n:02d}": 0 for n in range(12)})
    assert work(make_job(run, epochs=1), silent)["models"] == 1
    assert card_of(run, fold=None).fold is None


def test_models_of_folds_that_exist_no_more_are_deleted(run):
    stale = run.model("model", 7)
    stale.mkdir(parents=True)
    work(make_job(run, epochs=1), silent)
    assert sorted(p.name for p in stale.parent.iterdir()) == ["fold0", "fold1"]


def test_the_fold_left_out_is_never_looked_at(run):
    """Pixels of the left-out fold may be anything: the weights stay the same, bit for bit."""
    work(make_job(run), silent)
    before = card_of(run), read_model(run.model("model", 0))[1]
    for number in range(12):
        if number // 3 % 2 == 0:
            noise = np.random.default_rng(number).uniform(0, 1, (4, 2, 24, 24))
            write_shard(run.crops, f"s{number:02d}", noise)
    shutil.rmtree(run.path / "models")
    work(make_job(run), silent)
    assert card_of(run) == before[0]
    after = read_model(run.model("model", 0))[1]
    assert all(np.array_equal(before[1][name], after[name]) for name in after)


def test_the_seed_and_the_draw_decide_the_weights(run):
    found = []
    for name, seed, number in (("a", 1, 0), ("b", 1, 0), ("c", 2, 0), ("d", 1, 1), ("e", 1, 2)):
        work(make_job(run, name=name, seed=seed, draw=number, epochs=1), silent)
        found.append(read_model(run.model(name, 0))[1]["head.weight"])
    assert np.array_equal(found[0], found[1])
    others = found[1:]
    assert len({values.tobytes() for values in others}) == len(others)


def test_the_random_state_and_threads_of_the_caller_stay_as_they_were(run):
    import torch

    torch.manual_seed(5)
    before = (torch.random.get_rng_state(), torch.get_num_threads())
    work(make_job(run, epochs=1, threads=2), silent)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == torch.get_num_threads()
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_negative_control_learns_without_the_protein(run):
    work(make_job(run, name="control", epochs=1, without=["protein"]), silent)
    assert [c.key for c in card_of(run, "control").channels] == ["nucleus"]


def test_channels_are_chosen_by_name_or_role_in_the_order_given(run):
    work(make_job(run, epochs=1, channels=["protein", "dna"]), silent)
    assert [c.name for c in card_of(run).channels] == ["gfp", "dna"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"channels": ["protien"]}, "Did you mean 'protein'"),
        ({"without": ["dna", "gfp"]}, "no channel is left"),
        ({"labels": ""}, "needs labels of cells"),
        ({"epochs": 0}, "epochs"),
        ({"precision": "fp8"}, "precision"),
        ({"normalise": "median"}, "crop_mean"),
        ({"net": {"name": "tiny", "wdth": 8}}, "Did you mean 'width'"),
        ({"balance": "odd"}, "class_weights"),
        ({"validate": 1.0}, "validate"),
        ({"keep": "best"}, "best_ap"),
        ({"accumulate": 0}, "accumulate"),
        ({"average": 1.0}, "average"),
        ({"not_finite": "ignore"}, "skip"),
        ({"optimiser": {"name": "adam", "epz": 1}}, "eps"),
        ({"schedule": {"name": "poly", "powr": 1}}, "power"),
        ({"augment": ["dim_protein"], "task": "bag"}, "label of one cell"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_do(run, options, word):
    with pytest.raises(BadOption, match=word):
        work(make_job(run, **options), silent)


def test_labels_over_other_classes_are_refused(run):
    labels = read_table(run.labels("label"), LABELS)
    write_table(run.labels("label"), LABELS, labels, classes=("spot", "ring"))
    with pytest.raises(FormatError, match="other classes"):
        work(make_job(run), silent)


def test_a_run_without_labels_is_refused(tmp_path):
    run = make_run(tmp_path, sites=0, unlabelled=3)
    with pytest.raises(PreflightError, match="--labels"):
        work(make_job(run), silent)


def test_labels_that_name_only_negative_leave_nothing_to_learn(run):
    run.reading.write_text(json.dumps({"classes": {"names": ["Negative"], "negative": "Negative"}}))
    with pytest.raises(PreflightError, match="nothing to learn"):
        work(make_job(run), silent)


def test_cells_of_weight_zero_are_left_out(run):
    labels = read_table(run.labels("label"), LABELS)
    first = pl.when(pl.col("cell_id") == 1).then(0.0).otherwise(pl.col("weight"))
    labels = labels.with_columns(first.cast(pl.Float32).alias("weight"))
    write_table(run.labels("label"), LABELS, labels, classes=CLASSES[:2])
    assert work(make_job(run, epochs=1), silent)["items"] == 36


def test_pixels_that_are_no_numbers_stop_the_training_and_say_where(run):
    broken = np.full((4, 2, 24, 24), np.nan, np.float32)
    write_shard(run.crops, "s04", broken)
    with pytest.raises(BadOption, match=r"nan in epoch 1, batch \d+ \(fold0\).*learning_rate"):
        work(make_job(run), silent)


def spoil_labels(run, cells):
    """No number as the label of these cells of a field in fold 1."""
    labels = read_table(run.labels("label"), LABELS)
    rows = labels.to_dicts()
    for row in rows:
        if row["site_id"] == "s04" and row["cell_id"] in cells:
            row["label"] = [float("nan")] * 2
    spoiled = pl.DataFrame(rows, schema=labels.schema)
    write_table(run.labels("label"), LABELS, spoiled, classes=CLASSES[:2])


def test_a_batch_without_a_finite_cost_can_be_passed_over_and_is_counted(run):
    options = {"not_finite": "skip", "batch": 4, "epochs": 2, "balance": "none"}
    spoil_labels(run, {1})
    work(make_job(run, **options), silent)
    facts = [card_of(run, fold=fold).training for fold in (0, 1)]
    # One of six batches holds the cell: more than a tenth, but a single one is borne.
    assert sorted(fact["skipped_batches"] for fact in facts) == [0, 2]
    assert np.isfinite([fact["losses"] for fact in facts]).all()
    for fold in (0, 1):
        weights = read_model(run.model("model", fold))[1]
        assert all(np.isfinite(value).all() for value in weights.values())
    spoil_labels(run, {1, 2, 3, 4})
    with pytest.raises(BadOption, match="learning_rate"):
        work(make_job(run, key="k2", **{**options, "batch": 2}), silent)


def test_a_class_that_no_training_field_has_is_learned_as_never_there(run):
    write_labels(run, {f"s{n:02d}": "ring" if n % 3 == 0 else "Negative" for n in range(12)})
    work(make_job(run, epochs=12, learning_rate=0.01), silent)
    assert np.isfinite(card_of(run).training["losses"]).all()
    all_of(score, make_job(run, step="score", name="all"))
    logits = np.stack(read_table(run.scores("all"), SCORES)["score"].to_list())
    assert np.isfinite(logits).all()
    assert (logits[:, 1] < 0).all(), "spot is never there"
    assert (logits[:, 0] > 0).any(), "ring is"


def test_batches_of_one_train_where_the_net_allows_it_and_are_refused_where_not(run):
    work(make_job(run, epochs=1, batch=1), silent)
    assert np.isfinite(card_of(run).training["losses"]).all()
    spec = {"name": "backbone", "model": "resnet10t", "head": "embedding"}
    with pytest.raises(BadOption, match=r"batch of one image.*train.batch=3"):
        work(make_job(run, key="k2", epochs=1, batch=1, net=spec), silent)


def test_fields_without_cells_are_no_bags(run):
    cells = read_table(run.cells, CELLS).filter(pl.col("site_id") != "s03")
    write_table(run.cells, CELLS, cells)
    task = {"name": "bag", "cells": 3}
    counts = work(make_job(run, task=task, labels="", epochs=1, batch=3), silent)
    assert (counts["sites"], counts["items"]) == (11, 44)


def test_each_cell_of_a_bag_is_augmented_by_itself(run, monkeypatch):
    seen = []

    def watch(spec):
        def change(batch, rngs):
            seen.extend(rng.integers(2**60) for rng in rngs)
            return batch

        return change

    monkeypatch.setattr(plans, "augmentations", SimpleNamespace(build=watch))
    task = {"name": "bag", "cells": 6}
    options = {"labels": "", "epochs": 1, "batch": 2, "augment": ["dihedral"]}
    work(make_job(run, task=task, **options), silent)
    # Fields have four cells, so two of each bag come twice: also those differ.
    assert len(seen) == len(set(seen)) == 2 * 6 * 6


def test_weights_over_classes_in_another_order_are_refused_by_name(run):
    work(make_job(run, name="first", epochs=1), silent)
    for fold in (0, 1):
        card = run.model("first", fold) / "model.json"
        said = json.loads(card.read_text())
        said["classes"] = said["classes"][::-1]
        card.write_text(json.dumps(said))
    with pytest.raises(PreflightError, match=r"spot.*ring"):
        work(make_job(run, name="second", start="first", epochs=1), silent)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "radam_lookahead"])
def test_other_optimisers_and_schedules_learn(run, optimiser):
    options = {"optimiser": optimiser, "schedule": "poly", "epochs": 6, "augment": []}
    work(make_job(run, **options, learning_rate=0.003), silent)
    losses = card_of(run).training["losses"]
    assert losses[-1] < losses[0]


def test_gradients_of_several_batches_are_one_step_of_a_large_batch(run):
    plain = {"epochs": 1, "augment": [], "clip": 0.0, "schedule": {"name": "steps"}}
    weights = []
    for name, batch, accumulate in (("one", 12, 2), ("two", 24, 1)):
        options = {"batch": batch, "accumulate": accumulate, "optimiser": "sgd", "balance": "none"}
        work(make_job(run, name=name, **plain, **options, learning_rate=0.01), silent)
        weights.append(read_model(run.model(name, 0))[1])
    for name, value in weights[0].items():
        np.testing.assert_allclose(value, weights[1][name], rtol=1e-3, atol=1e-5)


def test_the_average_of_the_weights_is_kept_where_asked(run):
    options = {"epochs": 4, "augment": [], "learning_rate": 0.02}
    for name, average in (("plain", 0.0), ("mean", 0.9)):
        work(make_job(run, name=name, average=average, **options), silent)
    plain, mean = (read_model(run.model(name, 0))[1] for name in ("plain", "mean"))
    assert any(not np.allclose(plain[key], mean[key]) for key in plain)
    assert card_of(run, "plain").training["losses"] == card_of(run, "mean").training["losses"]


@pytest.mark.parametrize("task", ["cell", {"name": "bag", "cells": 2}])
def test_epochs_can_be_judged_by_how_well_they_rank(run, task):
    work(make_job(run, task=task, validate=0.2, keep="best_ap", epochs=3, batch=4), silent)
    facts = card_of(run).training
    assert all(-1 <= value <= 0 for value in facts["validation"])
    work(make_job(run, name="last", validate=0.2, keep="last", epochs=3), silent)
    assert card_of(run, "last").training["kept_epoch"] == 3


def test_changed_labels_are_learned(run):
    """Every cell is made Negative: the loss falls to that of saying nothing."""
    change = {"name": "dim_protein", "chance": 1.0, "most": 0.0}
    work(make_job(run, augment=[change], epochs=8, learning_rate=0.02, balance="none"), silent)
    losses = card_of(run).training["losses"]
    assert losses[-1] < 0.15


def test_setting_groups_aside_keeps_the_best_epoch_and_stops_early(run):
    options = {"validate": 0.2, "patience": 1, "epochs": 12, "learning_rate": 0.05, "augment": []}
    work(make_job(run, **options), silent)
    for fold in (0, 1):
        facts = card_of(run, fold=fold).training
        assert facts["sites"] == 4, "two of six fields judge the epochs"
        assert len(facts["validation"]) == facts["epochs"]
        best = int(np.argmin(facts["validation"])) + 1
        assert facts["kept_epoch"] <= best
    assert any(card_of(run, fold=f).training["epochs"] < 12 for f in (0, 1))


def test_setting_aside_the_only_group_is_refused(run):
    folds = read_table(run.folds, FOLDS)
    folds = folds.with_columns(pl.format("g{}", pl.col("fold")).alias("group"))
    write_table(run.folds, FOLDS, folds)
    with pytest.raises(BadOption, match="only one"):
        work(make_job(run, validate=0.2), silent)


def test_a_training_may_begin_with_the_weights_of_an_earlier_one(run):
    work(make_job(run, name="first", epochs=2), silent)
    still = {"start": "first", "epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
    work(make_job(run, name="second", **still), silent)
    for fold in (0, 1):
        one, two = (read_model(run.model(name, fold))[1] for name in ("first", "second"))
        assert all(np.allclose(one[name], two[name], atol=1e-6) for name in one)
    with pytest.raises(BadOption, match="other channels"):
        work(make_job(run, name="third", start="first", without=["protein"]), silent)


def test_bags_learn_from_fields_without_labels_of_cells(run):
    run.labels("label").unlink()
    task = {"name": "bag", "cells": 3}
    work(make_job(run, task=task, labels="", epochs=4, batch=3), silent)
    losses = card_of(run).training["losses"]
    assert losses[-1] < losses[0]
    assert card_of(run).unit == "cell"


def test_fields_are_learned_from_whole(run):
    work(make_job(run, task={"name": "image", "size": 32}, labels="", epochs=2, batch=3), silent)
    card = card_of(run)
    assert (card.unit, card.crop["size"], card.training["items"]) == ("site", 32, 6)


def test_fields_are_kept_for_other_steps_only_where_asked(run):
    image = {"task": {"name": "image", "size": 32}, "labels": "", "epochs": 2, "batch": 3}
    work(make_job(run, **image), silent)
    plain = card_of(run).training["losses"]
    assert not (run.temporary / "fields").exists()
    work(make_job(run, key="k2", **image, cache="uint16"), silent)
    np.testing.assert_allclose(card_of(run).training["losses"], plain, rtol=2e-3)
    kept = sorted((run.temporary / "fields" / "32-uint16").iterdir())
    assert len(kept) == 12
    first = {path: path.stat().st_mtime_ns for path in kept}
    work(make_job(run, name="again", key="k3", **image, cache="uint16"), silent)
    assert {path: path.stat().st_mtime_ns for path in kept} == first


def test_half_precision_trains_too(run):
    work(make_job(run, epochs=1, precision="bf16"), silent)
    assert read_model(run.model("model", 0))[1]["head.weight"].dtype == np.float32


def test_every_default_is_a_valid_choice():
    options = Options()
    kinds = {"task", "net", "loss", "augment", "optimiser", "schedule", "learner"}
    assert set(SHELVES) == kinds
    assert options.epochs >= 1


def test_the_world_is_what_it_says():
    spot, ring = draw("spot", 0)[1], draw("ring", 0)[1]
    assert spot[16, 16] > 0.3 > ring[16, 16]
