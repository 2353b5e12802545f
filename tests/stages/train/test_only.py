"""A network that is taught some classes: others change nothing, and it never speaks of them."""

import numpy as np
import polars as pl
import pytest
from tests.stages.site_steps import all_of
from tests.stages.train.learn_world import make_job, make_run, silent, write_labels

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import FolderFacts
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import LABELS, SCORES
from cellwise.errors import BadOption
from cellwise.parts.predictor import NEVER
from cellwise.stages.decide._combination import Combination
from cellwise.stages.score import step as score
from cellwise.stages.train.step import foresee, work
from cellwise.store.run.models import read_card, read_model
from cellwise.store.run.tables import read_table, write_table

SPOT = {"only": ["spot"], "epochs": 2, "folds": [0], "augment": []}


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def _other_rings(run):
    """The same labels of spots, and rings the other way round."""
    frame = read_table(run.labels("label"), LABELS)
    values = np.stack(frame["label"].to_list())
    values[:, 0] = 1 - values[:, 0]
    vector = pl.Array(pl.Float32, 2)
    frame = frame.with_columns(pl.Series("label", values.astype(np.float32), dtype=vector))
    write_table(run.labels("label"), LABELS, frame, classes=("ring", "spot"))


def _weights(run, name):
    return read_model(run.model(name, 0))[1]


@pytest.mark.parametrize("loss", ["bce", "symmetric_lovasz"])
@pytest.mark.parametrize("judged", [{}, {"validate": 0.4, "keep": "best_ap"}])
def test_labels_of_other_classes_change_nothing(run, loss, judged):
    options = {**SPOT, **judged, "loss": loss, "optimiser": "adam", "weight_decay": 0.0}
    work(make_job(run, name="before", key="a", **options), silent)
    both = {**options, "only": []}
    work(make_job(run, name="both", key="c", **both), silent)
    _other_rings(run)
    work(make_job(run, name="after", key="b", **options), silent)
    before, after, taught = (_weights(run, name) for name in ("before", "after", "both"))
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name], err_msg=name)
    assert any(not np.array_equal(values, taught[name]) for name, values in before.items())
    assert read_card(run.model("before", 0)).training["never_seen"] == ["ring"]


@pytest.mark.parametrize("combine", ["logits", "probabilities"])
def test_its_scores_say_never_of_the_other_classes(run, combine):
    work(make_job(run, **SPOT), silent)
    all_of(score, make_job(run, step="score", name="spots", combine=combine))
    values = np.stack(read_table(run.scores("spots"), SCORES)["score"].to_list())
    assert (values[:, 0] == NEVER).all()
    assert (np.abs(values[:, 1]) < 100).all()


@pytest.mark.parametrize("how", ["logits", "probabilities", "median"])
def test_a_decision_takes_other_classes_from_those_that_were_taught_them(how):
    rng = np.random.default_rng(0)
    general, second, expert = rng.normal(0, 2, (3, 5, 2))
    expert[:, 1] = NEVER
    general[2] = np.nan
    found = Combination(how)(np.stack([general, second, expert]))

    def mean(members):
        members = [value for value in members if np.isfinite(value)]
        if how == "median":
            return np.median(members)
        if how == "logits":
            return np.mean(members)
        chance = np.mean([1 / (1 + np.exp(-value)) for value in members])
        return np.log(chance / (1 - chance))

    for cell in range(5):
        own = [mean([m[cell, 0] for m in (general, second, expert)]),
               mean([m[cell, 1] for m in (general, second)])]  # fmt: skip
        assert found[cell] == pytest.approx(own)


def test_a_class_that_nobody_was_taught_stays_never():
    members = np.full((2, 3, 2), NEVER)
    members[:, :, 0] = 1.0
    assert Combination()(members)[:, 1].tolist() == [NEVER] * 3


def test_a_class_that_is_not_there_is_refused_before_any_work(run):
    job = make_job(run, only=["sport"])
    channels = Channel("dna", "nucleus"), Channel("gfp", "protein")
    files = tuple(ChannelFile(channel, ("x.png",)) for channel in channels)
    sites = tuple(Site(name, name, files, "train", (name,)) for name in ("ring", "spot"))
    facts = FolderFacts(sites, channels, ClassList(("ring", "spot", "Negative"), "Negative"))
    [refusal] = foresee(job, facts).refusals
    assert "'spot'" in str(refusal)
    assert not foresee(make_job(run, only=["spot"]), facts).refusals
    with pytest.raises(BadOption, match="spot"):
        work(job, silent)


@pytest.mark.parametrize("wrong", [{"task": {"name": "puzzle", "size": 32}}, {"only": ["a", "a"]}])
def test_tasks_of_other_losses_are_refused(run, wrong):
    write_labels(run, {})
    with pytest.raises(BadOption, match="only"):
        work(make_job(run, **{**SPOT, **wrong}), silent)
