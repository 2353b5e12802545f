"""Cells that show nothing: what is learned of them from fields, and what that takes from others."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from tests.stages.decide.decide_world import Field, RunMaker

from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import FolderFacts
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import BadOption
from cellwise.stages.decide import step
from cellwise.stages.decide.negative.rules import RULES, Negative
from cellwise.store.run.tables import read_table

CLASSES = ("a", "neg", "b")
PLAIN = {"by": "none"}


def _world(seed=3, count=60):
    """Fields of four cells: of negative ones all cells show nothing, of others one shows a or b.

    Scores of both classes are too high by one and a half, so that the plain product is too low.
    """
    rng = np.random.default_rng(seed)
    fields = []
    for k in range(count):
        logits = rng.normal(-1.0, 1.2, (4, 2))
        label = ("neg", "a", "b")[k % 3]
        if label != "neg":
            logits[0, ("a", "b").index(label)] += 3.0
        fields.append(Field(f"s{k:02}", (label,), (logits + 0.5).tolist(), fold=k % 2))
    return fields


def _table(run):
    frame = read_table(run.predictions, PREDICTIONS)
    return {name: frame[f"Prob_{name}"].to_numpy().astype(float) for name in CLASSES}


def _independent(fields):
    """T and b by a slow likelihood over fields, and the probability of each cell."""
    shown = []
    for field in fields:
        chance = 1 / (1 + np.exp(-np.array(field.logits, np.float32).astype(float)))
        rest = (1 - chance).prod(axis=1)
        shown.append(np.log((1 - rest) / rest))

    def cost(pair):
        log_t, shift = pair
        total = 0.0
        for field, logits in zip(fields, shown, strict=True):
            negative = np.prod(1 - 1 / (1 + np.exp(-(logits / np.exp(log_t) + shift))))
            total -= np.log(negative if field.labels == ("neg",) else 1 - negative)
        few = min(sum(f.labels == ("neg",) for f in fields), len(fields))
        return total + (1 + 10 / few) * (log_t**2 / 2 + shift**2 / 8)

    best = minimize(cost, (0.0, -1.0), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    t, b = np.exp(best.x[0]), best.x[1]
    return t, b, np.concatenate([1 - 1 / (1 + np.exp(-(s / t + b))) for s in shown])


def test_learned_negative_is_that_of_a_slow_likelihood_over_fields(maker):
    fields = _world()
    run = maker.write(fields, classes=CLASSES)
    maker.decide(**PLAIN, negative="learned")
    t, b, rest = _independent(fields)
    kept = json.loads(run.decision("decide").read_text())
    assert kept["negative_fit"] == pytest.approx([t, b], rel=2e-3)
    assert _table(run)["neg"] == pytest.approx(rest, abs=1e-3)
    # Scores are too high, and negative fields say so.
    assert b < -0.3


def test_others_are_lowered_by_what_the_negative_class_has(maker):
    fields = _world()
    run = maker.write(fields, classes=CLASSES)
    maker.decide(**PLAIN, negative="learned")
    before = _table(run)
    maker.decide(**PLAIN, negative="learned", negative_lowers_others=True)
    after = _table(run)
    assert after["neg"] == pytest.approx(before["neg"])
    for name in ("a", "b"):
        assert after[name] == pytest.approx(before[name] * (1 - before["neg"]), rel=1e-5)


@given(
    arrays(np.float32, (5, 3), elements=st.floats(0, 1, width=32)),
    st.sampled_from(RULES),
    st.booleans(),
)
def test_every_rule_gives_probabilities_and_never_raises_another_class(chance, rule, lowers):
    others, rest = Negative(rule, 1.7, 0.4, lowers)(chance)
    assert ((rest >= 0) & (rest <= 1)).all()
    assert (others <= chance).all()
    assert np.isfinite(others).all()
    assert lowers or (others == chance).all()


def test_prediction_applies_what_was_learned(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = RunMaker(tmp_path / "old"), RunMaker(tmp_path / "new")
    fields = _world()
    run = old.write(fields, classes=CLASSES)
    asked = {**PLAIN, "negative": "learned", "negative_lowers_others": True}
    old.decide(**asked)
    unknown = [Field(f.id, None, f.logits, part="unlabelled", fold=None) for f in fields]
    there = new.write(unknown, classes=CLASSES)
    new.decide(fitted=run.path, **asked)
    for name, values in _table(run).items():
        assert _table(there)[name] == pytest.approx(values), name


@pytest.mark.parametrize("kept", ["neg", "a"])
def test_fields_of_one_kind_teach_nothing_and_are_refused(maker, kept):
    maker.write([f for f in _world() if f.labels == (kept,)], classes=CLASSES)
    with pytest.raises(BadOption, match=r"negative=learned learns from scored fields"):
        maker.decide(**PLAIN, negative="learned")


@pytest.mark.parametrize("asked", [{"negative": "learned"}, {"negative_lowers_others": True}])
def test_without_a_negative_class_nothing_is_asked_of_it(maker, asked):
    maker.write([Field("s", ("a",), [[-5.0]])], classes=("a",), negative=None)
    with pytest.raises(BadOption, match="no negative class"):
        maker.decide(**PLAIN, **asked)


def _foreseen(labels, classes, **options):
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    sites = tuple(Site(str(k), str(k), file, "train", (name,)) for k, name in enumerate(labels))
    own = {"from": "main", **options}
    job = Job(Path("run"), Path("run"), "decide", own, "key", seed=0)
    return step.foresee(job, FolderFacts(sites, (Channel("dna"),), classes)).refusals


def test_a_folder_is_refused_before_any_work():
    classes = ClassList(("a", "neg"), "neg")
    assert not _foreseen(["a", "neg"], classes, negative="learned")
    assert not _foreseen(["a", "a"], classes, negative="product")
    [one] = _foreseen(["a", "a"], classes, negative="learned")
    assert (one.settings, "0 of 2" in one.reason) == (("decide.negative=product",), True)
    [none] = _foreseen(["a", "b"], ClassList(("a", "b"), None), negative_lowers_others=True)
    assert none.settings == ("decide.negative_lowers_others=false",)
