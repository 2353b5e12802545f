"""The posterior over made cells: which methods are heard, odd inputs, and what it writes."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.labeller import INHERITED, SUPPORTED, UNSCORED, Bags
from cellwise.domain.nouns import SITES
from cellwise.errors import BadOption, PreflightError
from cellwise.flow.recipe.references import uses
from cellwise.stages.label.posterior import METHODS, build
from cellwise.stages.label.posterior import _choice as choice
from cellwise.stages.label.posterior._fields import Fields
from cellwise.stages.label.posterior._guard import gains
from cellwise.stages.label.posterior._methods import ALONE, HEDGED
from cellwise.stages.label.posterior.one_state import OneState
from cellwise.stages.label.spec import SPEC, Options


def _bags(seed=0, *, fields=40, each=5, classes=3, none=0.0, noise=1.0):
    """Fields of one or two labels whose cells each show one of them, or none; and the truth."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(fields), each)
    labels = np.eye(classes, dtype=bool)[np.arange(fields) % classes]
    second = (np.arange(fields) + 1 + np.arange(fields) // classes % 2) % classes
    labels[np.arange(fields), second] |= random.random(fields) < 0.8
    truth = np.zeros((len(site), classes), bool)
    for n, field in enumerate(site):
        if random.random() >= none:
            truth[n, random.choice(np.flatnonzero(labels[field]))] = True
    means = random.normal(0, 2, (classes, 6))
    vectors = truth @ means + random.normal(0, noise, (len(site), 6))
    plain = np.zeros(len(site), bool)
    bags = Bags(
        site, labels, None, plain, plain,
        classes=tuple("abcdefgh"[:classes]), seed=1,
        vectors=vectors.astype(np.float32), group=site // 2,
    )  # fmt: skip
    return bags, truth


@pytest.mark.parametrize("method", METHODS)
def test_every_method_tells_cells_apart_better_than_their_fields_do(method):
    bags, truth = _bags()
    found = build(method, rounds=4, restarts=2)(bags)
    own = bags.field_labels[bags.site]
    assert found.label[own & truth].mean() > found.label[own & ~truth].mean() + 0.2
    assert set(found.reason) == {SUPPORTED}
    assert found.facts["method"] == method
    json.dumps(found.facts)


def test_the_hedge_hears_methods_that_help_groups_left_out():
    bags, _ = _bags()
    facts = build(rounds=4, restarts=2)(bags).facts
    assert facts["heard"][0] == "inherit"
    assert "one_state" in facts["heard"]
    told = facts["gain_of_groups_left_out"]
    assert set(told) == {"soft_ratio", "full_competition", "one_state"}
    assert all(told[name] >= 0 for name in facts["heard"][1:])


def test_methods_that_harm_are_not_heard_and_where_none_is_cells_inherit(monkeypatch):
    bags, _ = _bags()
    for found, heard in (
        ([0.01, -0.01, 0.0], ["inherit", "soft_ratio", "one_state"]),
        ([-0.1, -0.1, -0.1], ["inherit"]),
        ([float("nan")] * 3, ["inherit"]),
    ):
        monkeypatch.setattr(choice, "gains", lambda *_, _found=found, **__: _found)
        labels = build(rounds=2, restarts=1)(bags)
        assert labels.facts["heard"] == heard
        alike = np.array_equal(labels.label, bags.inherited)
        assert alike == (heard == ["inherit"])


def test_one_state_is_leant_on_unless_groups_left_out_put_it_far_behind(monkeypatch):
    bags, _ = _bags()
    for found, count in (
        ([0.02, 0.02, 0.0], 6.0),
        ([0.05, 0.01, 0.0], 1.0),
        ([0.05, 0, -0.1], None),
    ):
        monkeypatch.setattr(choice, "gains", lambda *_, _found=found, **__: _found)
        counts = build(rounds=2, restarts=1)(bags).facts["counts"]
        assert counts.get("one_state") == count
        assert counts["inherit"] == counts["soft_ratio"] == 1.0


def test_one_state_is_not_leant_on_in_classes_of_few_fields(monkeypatch):
    bags, _ = _bags(fields=60)
    rare = bags.field_labels.copy()
    rare[np.flatnonzero(rare[:, 2])[9:], 2] = False
    some = replace(bags, field_labels=rare)
    found = {}
    for more in (6.0, 1.0):
        monkeypatch.setattr(choice, "gains", lambda *_, **__: [0.0, 0.0, 0.0])
        monkeypatch.setattr(choice, "_LEANT_ON", more)
        found[more] = build(rounds=2, restarts=1)(some).label
    # It is drawn to what other classes keep, which one state changes a little.
    np.testing.assert_allclose(found[6.0][:, 2], found[1.0][:, 2], atol=0.01)
    assert np.abs(found[6.0] - found[1.0])[:, :2].max() > 0.05


def test_one_state_is_not_leant_on_where_it_ranks_cells_the_other_way_round(monkeypatch):
    bags, _ = _bags()

    def turned(fields, start):
        labels = ALONE["one_state"](fields, start)
        labels[:, 0] = 1 - ALONE["soft_ratio"](fields, start)[:, 0]
        return labels

    found = {}
    monkeypatch.setattr(choice, "gains", lambda *_, **__: [0.0, 0.0, 0.0])
    monkeypatch.setitem(HEDGED, "one_state", (turned, 1.0))
    for more in (6.0, 1.0):
        monkeypatch.setattr(choice, "_LEANT_ON", more)
        found[more] = build(rounds=2, restarts=1)(bags)
    np.testing.assert_array_equal(found[6.0].label[:, 0], found[1.0].label[:, 0])
    assert np.abs(found[6.0].label - found[1.0].label)[:, 1:].max() > 0.05
    assert found[6.0].facts["one_state_contradicted_in"] == ["a"]


@given(st.integers(0, 10**6))
def test_rankings_are_compared_within_the_fields_of_a_class(seed):
    random = np.random.default_rng(seed)
    field = np.sort(random.integers(0, 6, 30))
    fields = Fields(field, random.random((6, 3)) < 0.5)
    one, other = random.integers(0, 3, (2, 30, 3)) / 2
    for k, said in enumerate(fields.alike(one, other)):
        a, b = [], []
        for f in np.unique(field):
            if fields.given[f, k]:
                a += list(one[field == f, k] - one[field == f, k].mean())
                b += list(other[field == f, k] - other[field == f, k].mean())
        if np.ptp(a or [0]) < 1e-9 or np.ptp(b or [0]) < 1e-9:
            assert np.isnan(said)
        else:
            # Each field's mean is taken away, so that the mean of all is 0.
            assert said == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-9)


def test_labels_of_groups_left_out_enter_nothing(monkeypatch):
    """What is found of a part's cells is the same whatever its fields are called."""
    bags, _ = _bags()
    seen = []

    def spy(fields, start):
        labels = ALONE["one_state"](fields, start)
        seen.append(labels)
        return labels

    rows, columns = np.arange(len(bags.site)), np.arange(3)
    gains(bags, rows, columns, [spy], OneState(3))
    first = seen.copy()
    part = np.random.default_rng([bags.seed, 1]).permutation(np.arange(20) % 3)[bags.group]
    other = bags.field_labels.copy()
    other[np.unique(bags.site[part == 0])] ^= True
    gains(replace(bags, field_labels=other), rows, columns, [spy], OneState(3))
    np.testing.assert_array_equal(seen[3], first[0])
    assert not np.array_equal(seen[4], first[1])


def test_the_learned_exponent_lies_between_none_and_full(monkeypatch):
    bags, _ = _bags()
    facts = build("learned_competition", rounds=2, restarts=1)(bags).facts
    assert 0 <= facts["exponent"] <= 1
    for found, exponent in (([0, -1, -1], 0.0), ([-1, -1, 0], 1.0), ([float("nan")] * 3, 0.0)):
        monkeypatch.setattr(choice, "gains", lambda *_, _found=found, **__: _found)
        facts = build("learned_competition", rounds=2, restarts=1)(bags).facts
        assert facts["exponent"] == pytest.approx(exponent)


def test_three_groups_are_asked_and_two_tell_nothing():
    bags, _ = _bags(fields=24, each=3)
    method = ALONE["soft_ratio"]
    for groups in (2, 3):
        some = replace(bags, group=bags.site % groups)
        rows, columns = np.arange(len(bags.site)), np.arange(3)
        found = gains(some, rows, columns, [method], OneState(2))
        assert np.isfinite(found).all() == (groups == 3)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(METHODS))
def test_labels_repeat_and_stay_in_range_and_within_their_fields(seed, method):
    bags, _ = _bags(seed, fields=20, each=3)
    labeller = build(method, rounds=2, restarts=2, missed=False)
    found = labeller(bags)
    np.testing.assert_array_equal(labeller(bags).label, found.label)
    assert found.label.min() >= 0
    assert found.label.max() <= 1
    assert not found.label[~bags.field_labels[bags.site]].any()


def test_a_field_may_have_been_denied_a_label_only_where_missed_is_on():
    bags, truth = _bags(fields=60)
    labels = bags.field_labels.copy()
    labels[3] = [True, False, False]
    vectors = bags.vectors.copy()
    vectors[bags.site == 3] = vectors[truth[:, 1]][:5]
    odd = replace(bags, field_labels=labels, vectors=vectors)
    with_missed = build("one_state", restarts=1)(odd).label[bags.site == 3]
    without = build("one_state", restarts=1, missed=False)(odd).label[bags.site == 3]
    assert with_missed[:, 1:].sum() > 0.1
    assert not without[:, 1:].any()


@pytest.mark.parametrize("setting", ["lift", "cover"])
def test_what_one_state_does_can_be_left_out_and_no_other_method_minds(setting):
    bags, _ = _bags(fields=30, each=2)
    changed = {}
    for method in ("one_state", "soft_ratio"):
        whole = build(method, rounds=3, restarts=1)(bags).label
        without = build(method, rounds=3, restarts=1, **{setting: False})(bags).label
        changed[method] = not np.allclose(whole, without, atol=1e-6)
    assert changed == {"one_state": True, "soft_ratio": False}


def test_cells_without_a_vector_inherit_and_few_numbers_missing_do_not_matter():
    bags, _ = _bags()
    vectors = bags.vectors.copy()
    vectors[7] = np.nan
    vectors[9, 0] = np.nan
    found = build(rounds=2, restarts=1)(replace(bags, vectors=vectors))
    assert found.reason[7] == UNSCORED
    assert found.reason.count(UNSCORED) == 1
    np.testing.assert_array_equal(found.label[7], bags.inherited[7])
    assert np.flatnonzero(found.weight == 0).tolist() == [7], "it teaches nothing"
    nothing = build()(replace(bags, vectors=np.full_like(vectors, np.nan)))
    np.testing.assert_array_equal(nothing.label, bags.inherited)
    assert set(nothing.reason) == {UNSCORED}


def test_odd_fields_are_labelled_or_refused_with_a_reason():
    bags, _ = _bags()
    one = {name: getattr(bags, name)[:1] for name in ("site", "border", "tiny", "vectors", "group")}
    np.testing.assert_array_equal(build()(replace(bags, **one)).label, bags.inherited[:1])
    together = replace(bags, group=np.zeros(len(bags.site), np.int64))
    np.testing.assert_array_equal(build()(together).label, bags.inherited)
    with pytest.raises(PreflightError, match="one group"):
        build("soft_ratio")(together)
    np.testing.assert_array_equal(build()(replace(bags, group=None)).label.shape, (200, 3))
    alike = replace(bags, field_labels=np.ones_like(bags.field_labels))
    found = build(rounds=2, restarts=1)(alike)
    assert found.facts["never_told_apart"] == [["a", "b", "c"]]
    np.testing.assert_array_equal(found.label, alike.inherited)
    negative = replace(bags, field_labels=np.zeros_like(bags.field_labels))
    found = build()(negative)
    assert not found.label.any()
    assert set(found.reason) == {INHERITED}
    equal = replace(bags, vectors=np.ones_like(bags.vectors))
    with pytest.raises(PreflightError, match="alike"):
        build("soft_ratio")(equal)


def test_more_labels_than_cells_and_a_class_of_one_field():
    bags, _ = _bags(each=1)
    labels = np.concatenate([bags.field_labels, np.arange(40)[:, None] == 5], 1)
    odd = replace(bags, field_labels=labels, classes=(*bags.classes, "rare"))
    for method in METHODS:
        found = build(method, rounds=2, restarts=1)(odd)
        assert np.isfinite(found.label).all()
        assert found.label[5, 3] > 0


def test_too_many_classes_inherit_and_the_record_says_why(monkeypatch):
    bags, _ = _bags()
    many = replace(bags, field_labels=np.eye(40, 1108, dtype=bool), classes=())
    found = build()(many)
    assert found.facts == {"inherits_because": "1,108 classes, more than 200"}
    np.testing.assert_array_equal(found.label, many.inherited)
    monkeypatch.setattr("cellwise.stages.label.posterior._MOST_BYTES", 1 << 10)
    assert "200 cells of 3 classes would take" in build()(bags).facts["inherits_because"]


def test_scores_take_the_place_of_vectors():
    bags, truth = _bags()
    scores = np.where(truth, 2.0, -2.0).astype(np.float32)
    scores[4] = np.nan
    found = build()(replace(bags, vectors=None, scores=scores))
    assert found.facts["heard"] == ["inherit", "soft_ratio"]
    assert found.reason[4] == UNSCORED
    assert np.flatnonzero(found.weight == 0).tolist() == [4]
    own = bags.field_labels[bags.site]
    assert found.label[own & truth].min() > found.label[own & ~truth][5:].mean()
    for method in ALONE:
        assert build(method)(replace(bags, vectors=None, scores=scores)).facts["method"] == method
    with pytest.raises(BadOption, match="needs 'embeddings"):
        build()(replace(bags, vectors=None))


def test_options_that_make_no_sense_are_refused():
    for options, words in (
        ({"method": "one_sate"}, "Did you mean 'one_state'"),
        ({"rounds": 0}, "at least 1"),
        ({"border": -1.0}, "not negative"),
    ):
        with pytest.raises(BadOption, match=words):
            build(**options)
    for options in ({"by": "posterior"}, {"by": "posterior", "embeddings": "v", "from": "s"}):
        with pytest.raises(BadOption, match="name one of"):
            Options.of(options)
    with pytest.raises(BadOption, match="reads no vectors"):
        Options.of({"by": "inherit", "embeddings": "v"})
    assert Options.of({"by": "posterior", "embeddings": "v"}).embeddings == "v"


@given(st.integers(1, 4), st.integers(0, 2), st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_numbers_that_are_the_same_in_all_cells_do_not_matter(same, missing, seed):
    bags, _ = _bags(seed % 7, fields=12)
    one = bags.vectors[:, :1]
    odd = [np.full_like(one, value) for value in (*[3.5] * same, *[np.nan] * missing)]
    found = build("soft_ratio", rounds=1)(
        replace(bags, vectors=np.concatenate([*odd, one], axis=1), seed=seed)
    )
    assert set(found.reason) == {SUPPORTED}
    assert np.ptp(found.label[bags.inherited > 0]) > 0


def test_metadata_count_where_bags_are_samples_without_being_asked():
    def read(**options):
        step: Any = SimpleNamespace(options=options, checked=Options.of(options))
        return SITES in [each.noun for each in SPEC.reads if uses(step, each)]

    assert read(by="posterior", embeddings="v")
    assert read(**{"by": "posterior", "from": "s"})
    assert read(**{"by": "soft", "from": "s", "level": "well"})
    assert not read(by="inherit")
    assert not read(**{"by": "soft", "from": "s"})
