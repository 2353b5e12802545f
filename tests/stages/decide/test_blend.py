"""Weights that are found from how far cells of one field differ, and adjusters that take them."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.decide.decide_world import Field, RunMaker

from cellwise.contracts.adjuster import Cells
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import BadOption
from cellwise.stages.decide.adjust import adjusters
from cellwise.stages.decide.blend.weights import RULES, variability_of, with_weights
from cellwise.stages.decide.spec import Options
from cellwise.store.run.tables import read_table

FIELD = np.repeat(np.arange(60), 12)


def _halves(random, *, own, of_field, noise):
    """Two scores of the same cells with noise of their own each."""
    signal = own * random.normal(size=len(FIELD)) + of_field * random.normal(size=60)[FIELD]
    return np.stack([signal + noise * random.normal(size=len(FIELD)) for _ in range(2)])[..., None]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 2))
def test_noise_of_either_half_is_no_variability(seed, noise):
    random = np.random.default_rng(seed)
    for own, of_field, share in ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.5)):
        found = variability_of(
            _halves(random, own=own, of_field=of_field, noise=noise), FIELD, ["a"]
        )
        assert found["a"] == pytest.approx(share, abs=0.2 + 0.05 * noise)


def _shares(variability):
    found: Any = with_weights([{"name": "neighbours", "share": "auto"}], variability)[0]
    return found["share"]


def test_what_does_not_vary_or_has_too_few_fields_is_not_known():
    assert variability_of(np.zeros((2, 720, 1)), FIELD, ["a"]) == {"a": None}
    assert variability_of(np.ones((2, 24, 1)), FIELD[:24], ["a"]) == {"a": None}
    one_each = np.random.default_rng(0).normal(size=(2, 30, 1))
    assert variability_of(one_each, np.arange(30), ["a"]) == {"a": None}
    assert _shares({"a": None, "b": None}) == {
        "a": RULES["neighbours"].most / 2,
        "b": RULES["neighbours"].most / 2,
    }
    assert _shares({"a": None, "b": 1.0}) == {"a": 0, "b": 0}


def test_cells_alike_take_most_of_the_field_and_strangers_nothing():
    for rule in RULES.values():
        weights = [rule(value) for value in np.linspace(0, 1, 21)]
        assert weights[0] == rule.most
        assert weights == sorted(weights, reverse=True)
        assert rule(rule.crossing) == rule(1.0) == 0
    assert with_weights(["visible_area"], {"a": 0.4}) == ["visible_area"]
    share = _shares({"a": 0.4, "b": 0.7})
    # What a class shows by itself moves it a quarter of the way from the mean of all.
    assert share["b"] == pytest.approx(RULES["neighbours"](0.55 + 0.15 / 4))
    assert share["a"] >= share["b"]


def test_weights_by_class_are_those_of_each_class_alone():
    random = np.random.default_rng(1)
    logits, of_field = random.normal(size=(720, 2)), random.normal(size=(720, 2))
    cells = Cells(FIELD, of_field, np.ones(720), np.zeros(720, bool), classes=("a", "b"))
    for name, option in (("field_score", "weight"), ("neighbours", "share")):
        how = {"how": "mean"} if name == "field_score" else {}
        both = adjusters.build({"name": name, option: {"a": 0.2, "b": 0.6}, **how})(logits, cells)
        for column, share in enumerate((0.2, 0.6)):
            one = adjusters.build({"name": name, option: share, **how})(logits, cells)
            np.testing.assert_allclose(both[:, column], one[:, column])
    with pytest.raises(BadOption, match="no class"):
        adjusters.build({"name": "neighbours", "share": {"x": 0.2}})(logits, cells)
    for wrong in (1.5, {"a": -1}, {"a": "auto"}, "much"):
        with pytest.raises(BadOption, match=r"0\.\.1|valid number"):
            adjusters.build({"name": "neighbours", "share": wrong})


def test_auto_needs_two_halves_and_a_way_that_has_a_weight():
    auto = {"name": "neighbours", "share": "auto"}
    with pytest.raises(BadOption, match="halves"):
        Options.of({"from": "main", "adjust": [auto]})
    with pytest.raises(BadOption, match="two score steps"):
        Options.of({"from": "main", "adjust": [auto], "halves": ["one", "one"]})
    with pytest.raises(BadOption, match="product has no weight"):
        adjusters.build({"name": "field_score", "weight": "auto"})


def _run(maker, random, own):
    halves = _halves(random, own=own, of_field=2.0, noise=0.3)
    fields = [
        Field(f"s{i:02}", ("a",) if i % 2 else ("neg",), halves[0, 12 * i : 12 * i + 12].tolist())
        for i in range(60)
    ]
    run = maker.write(fields)
    maker.scores(fields, classes=("a", "neg"), negative="neg", name="one")
    for i, field in enumerate(fields):
        field.logits = halves[1, 12 * i : 12 * i + 12].tolist()
    maker.scores(fields, classes=("a", "neg"), negative="neg", name="two")
    return run


def test_the_step_finds_weights_keeps_them_and_applies_them_to_new_cells(tmp_path):
    auto = {"adjust": [{"name": "neighbours", "share": "auto"}], "halves": ["one", "two"]}
    share = {}
    for own in (0.1, 4.0):
        (tmp_path / str(own)).mkdir()
        maker = RunMaker(tmp_path / str(own))
        run = _run(maker, np.random.default_rng(2), own)
        maker.decide(**auto)
        content = json.loads(run.decision("decide").read_text())
        share[own] = json.loads(content["adjust"][0])["share"]["a"]
        assert 0 <= content["variability"]["a"] <= 1
    assert share[0.1] > share[4.0] + 0.3
    # One new field would tell nothing by itself: the finished run's weights count.
    new = RunMaker(tmp_path / "new")
    few = [Field("n", None, [[2.0], [-2.0]], part="unlabelled", fold=None)]
    found = new.write(few)
    new.decide(**auto, fitted=tmp_path / "0.1")
    first = read_table(found.predictions, PREDICTIONS)["Prob_a"].to_list()
    new.decide(**auto, fitted=tmp_path / "4.0")
    second = read_table(found.predictions, PREDICTIONS)["Prob_a"].to_list()
    assert abs(first[0] - first[1]) < abs(second[0] - second[1])


def test_odd_cells_are_claimed_with_less_confidence():
    logits = np.array([[2.0], [2.0]])
    odd = np.array([True, False])
    cells = Cells(np.array([0, 0]), None, np.ones(2), np.zeros(2, bool), odd=odd)
    found = 1 / (1 + np.exp(-adjusters.build({"name": "outliers", "scale": 0.5})(logits, cells)))
    whole = 1 / (1 + np.exp(-2.0))
    assert found[:, 0] == pytest.approx([whole / 2, whole])
    same = adjusters.build({"name": "outliers", "scale": 1.0})(logits, cells)
    assert (same == logits).all()
    with pytest.raises(BadOption, match="above 0"):
        adjusters.build({"name": "outliers", "scale": 0.0})
