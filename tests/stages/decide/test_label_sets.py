"""Which labels go together, what that foretells, and what a decision keeps of it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.decide.decide_world import Field

from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import FormatError
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide.context.label_sets import (
    label_sets,
    set_gain,
    sets_of_json,
    sets_to_json,
)
from cellwise.store.run.folder import read_json
from cellwise.store.run.tables import read_table

CLASSES = ("a", "b", "c", "d", "neg")


def _sites(labels, groups=None):
    count = len(labels)
    return pl.DataFrame(
        {
            "site_id": [f"s{i:02}" for i in range(count)],
            "part": ["train"] * count,
            "labels": labels,
            "fold": [i % 3 for i in range(count)],
            "group": groups or [f"g{i}" for i in range(count)],
        },
        schema_overrides={"labels": pl.List(pl.String), "fold": pl.Int32},
    )


def _slow_gain(labels):
    """Leave one out, by plain loops over labels."""
    gains = []
    for i, own in enumerate(labels):
        others = [row for j, row in enumerate(labels) if j != i]
        alone = 0.0
        for k, has in enumerate(own):
            share = (sum(row[k] for row in others) + 0.5) / (len(others) + 1)
            alone += np.log(share if has else 1 - share)
        each = []
        for row in others:
            chance = [0.88 if has else 0.02 for has in row]
            each.append(np.prod([c if has else 1 - c for c, has in zip(chance, own, strict=True)]))
        gains.append(np.log(np.mean(each)) - alone)
    return np.mean(gains)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_the_gain_agrees_with_plain_loops(seed):
    labels = np.random.default_rng(seed).random((24, 4)) < 0.4
    sets, number = np.unique(labels, axis=0, return_inverse=True)
    found = set_gain(sets, np.arange(24), number.reshape(-1))
    assert found == pytest.approx(_slow_gain(labels))


def test_labels_that_go_together_tell_and_independent_ones_do_not():
    random = np.random.default_rng(0)
    paired = [["a", "b"] if x else ["c", "d"] for x in random.random(60) < 0.5]
    free = [[c for c in "abcd" if random.random() < 0.5] or ["a"] for _ in range(60)]
    assert label_sets(_sites(paired), ("a", "b", "c", "d")).gain > 1
    assert label_sets(_sites(free), ("a", "b", "c", "d")).gain < 0


def test_images_of_one_group_foretell_nothing_of_each_other():
    """Twenty groups of three images each, every group with labels of its own."""
    labels = [["a"] if i // 3 % 2 else ["b"] for i in range(60)]
    groups = [f"g{i // 3}" for i in range(60)]
    once = label_sets(_sites(labels, groups), ("a", "b"))
    assert once.count.sum() == 20
    assert np.isfinite(once.gain)
    few = label_sets(_sites(labels[:57], groups[:57]), ("a", "b"))
    assert few.gain == -np.inf


def test_without_labels_there_are_no_sets_and_test_fields_are_not_asked():
    sites = _sites([None, ["a"]]).with_columns(part=pl.Series(["train", "test"]))
    assert label_sets(sites, ("a",)) is None


def test_sets_come_back_from_json_without_their_folds():
    sets = label_sets(_sites([["a"], ["a", "b"], ["neg"]] * 8), ("a", "b"))
    again = sets_of_json(sets_to_json(sets))
    np.testing.assert_array_equal(again.given, sets.given)
    np.testing.assert_array_equal(again.count, sets.count.sum(0, keepdims=True))
    assert again.gain == sets.gain
    with pytest.raises(FormatError, match="label sets"):
        sets_of_json({"given": [[7]], "count": [1], "prior": [0.5], "gain": None})


def _fields():
    """Samples show a and b, or c and d; a new field shows a alone for sure."""
    fields = []
    for i in range(24):
        first = i % 2 == 0
        high, low = [2.0, 2.0, -3.0, -3.0], [-3.0, -3.0, 2.0, 2.0]
        labels = ("a", "b") if first else ("c", "d")
        fields.append(Field(f"f{i:02}", labels, [high if first else low] * 2, fold=i % 3))
    new = [[3.0, -1.0, -2.0, -2.0]] * 3
    return [*fields, Field("new", None, new, part="unlabelled", fold=None)]


def _new(run):
    frame = read_table(run.predictions, PREDICTIONS).filter(pl.col("site_id") == "new")
    return frame.select("Prob_a", "Prob_b", "Prob_c", "Prob_d").to_numpy()


def test_a_decision_keeps_the_sets_and_applies_them_to_another_run(maker, tmp_path):
    run = maker.write(_fields(), classes=CLASSES)
    plain = maker.decide(by="none")
    before = _new(run)
    assert "sets" not in read_json(run.decision("decide"))
    assert "context_gain" not in plain
    counts = maker.decide(by="none", adjust=["context"])
    after = _new(run)
    assert counts["context_gain"] > 0
    assert (after[:, 1] > before[:, 1] + 0.05).all()
    assert (after[:, 2:] < before[:, 2:]).all()
    decision = Decision.from_json(read_json(run.decision("decide")))
    assert len(decision.sets["given"]) == 2

    other = type(maker)(tmp_path / "other")
    (tmp_path / "other").mkdir()
    only = other.write(_fields()[-1:], classes=CLASSES)
    other.decide(by="none", adjust=["context"], fitted=run.path)
    np.testing.assert_allclose(_new(only), after, atol=1e-6)


def test_a_prior_is_that_of_the_scores_as_they_come_to_the_context(maker):
    run = maker.write(_fields(), classes=CLASSES)
    maker.decide(by="none", adjust=["exclusive", "context"])
    kept = read_json(run.decision("decide"))["sets"]["prior"]
    maker.decide(by="none", adjust=["exclusive"])
    rows = read_table(run.predictions, PREDICTIONS).filter(pl.col("site_id") != "new")
    alone = rows.select("Prob_a", "Prob_b", "Prob_c", "Prob_d").to_numpy().mean(0)
    np.testing.assert_allclose(kept, alone, atol=1e-6)
