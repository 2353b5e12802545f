"""Labels made without each fold: nothing of a fold enters what its model learns from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.label.test_posterior import _bags

from cellwise.contracts.labeller import CellLabels
from cellwise.errors import PreflightError
from cellwise.parts.learners import kernel_ridge
from cellwise.stages.label._per_fold import joined, labels_without_folds
from cellwise.stages.label.posterior import METHODS, build


def _silent(done, total):
    pass


def _made(bags, fold, **options):
    return labels_without_folds(bags, fold, build(rounds=2, restarts=2, **options), _silent)


@pytest.mark.parametrize("method", METHODS)
def test_other_labels_of_a_fold_change_nothing_that_is_made_without_it(method):
    bags, _ = _bags(fields=30, each=3)
    fold = np.arange(30) // 2 % 3
    _, before = _made(bags, fold, method=method)
    labels = bags.field_labels.copy()
    labels[fold == 1] = np.random.default_rng(5).random((10, labels.shape[1])) < 0.5
    _, after = _made(replace(bags, field_labels=labels), fold, method=method)
    assert before[1].tobytes() == after[1].tobytes()
    assert before[0].tobytes() != after[0].tobytes(), "other folds' labels are made with it"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_a_fold_has_labels_of_all_other_cells_and_their_mean_is_the_label(seed, folds):
    random = np.random.default_rng(seed)
    bags, _ = _bags(fields=12, each=2)
    fold = np.r_[np.arange(folds), random.integers(-1, folds, 12 - folds)]

    def by_chance(some):
        cells = len(some.site)
        assert some.field_labels[some.site].tolist() == some.inherited.astype(bool).tolist()
        label = random.random((cells, 3)).astype(np.float32)
        return CellLabels(label, np.full(cells, 0.5, np.float32), ("made",) * cells)

    found, apart = labels_without_folds(bags, fold, by_chance, _silent)
    assert sorted(apart) == list(range(folds))
    for name, label in apart.items():
        own = fold[bags.site] == name
        assert np.isnan(label[own]).all()
        assert np.isfinite(label[~own]).all()
    expected = np.nanmean([apart[name] for name in range(folds)], axis=0)
    assert np.array_equal(found.label, expected)
    assert set(found.weight.tolist()) == {0.5}
    assert set(found.reason) == {"made"}


def test_where_the_others_of_a_fold_are_too_few_they_inherit_and_it_is_told():
    bags, _ = _bags(fields=12, each=3)
    bags = replace(bags, group=np.where(bags.site < 4, 0, bags.site))
    fold = np.where(np.arange(12) < 4, 0, 1)
    found, apart = _made(bags, fold, method="soft_ratio")
    assert np.array_equal(apart[1][bags.site < 4], bags.inherited[bags.site < 4])
    assert not np.array_equal(apart[0][bags.site >= 4], bags.inherited[bags.site >= 4])
    assert found.facts["folds_that_inherit"] == 1
    with pytest.raises(PreflightError, match="one group"):
        _made(replace(bags, group=(bags.site < 4).astype(np.int64)), fold, method="soft_ratio")


def test_only_classes_that_all_fields_give_together_are_said_never_told_apart():
    """In three folds a and b stand together but for one field, which tells them apart."""
    bags, _ = _bags(fields=12, each=3)
    given = np.zeros_like(bags.field_labels)
    given[::2, :2] = True
    given[1::2, 2] = True
    bags = replace(bags, field_labels=given, classes=tuple("abcdef"[: given.shape[1]]))
    fold = np.arange(12) % 3
    found, _ = _made(bags, fold, method="soft_ratio")
    assert found.facts["never_told_apart"] == [["a", "b"]]
    given[0, 1] = False
    found, _ = _made(replace(bags, field_labels=given), fold, method="soft_ratio")
    assert found.facts["never_told_apart"] == []


def test_facts_of_folds_are_told_as_one():
    some = {
        "method": "hedge",
        "heard": ["inherit", "one_state"],
        "gain": {"one_state": 0.2, "ratio": None},
        "swaps": [["a", "b", 0.2], ["c", "b", 0.1]],
        "never_told_apart": [["a", "c"]],
    }
    other = {
        "method": "hedge",
        "heard": ["inherit", "ratio"],
        "gain": {"one_state": -0.1, "ratio": 0.3},
        "swaps": [["c", "b", 0.5]],
    }
    assert joined([some, other]) == {
        "method": "hedge",
        "heard": ["inherit", "one_state", "ratio"],
        "gain": {"one_state": 0.05, "ratio": 0.3},
        "swaps": [["c", "b", 0.3], ["a", "b", 0.1]],
        "never_told_apart": [["a", "c"]],
    }
    json.dumps(joined([some, other]))


def _area(labels, values):
    """How often a field with the class is above one without it, ties counted half."""
    above = values[labels][:, None] - values[~labels][None]
    return ((above > 0) + 0.5 * (above == 0)).mean()


def _ranked(bags, fold, labels_for):
    """Area under the curve of fields by their best cell, judged by kernel ridge of other folds."""
    areas = []
    for k in np.unique(fold):
        out = fold[bags.site] != k
        ones = np.ones(out.sum(), np.float32)
        fitted = kernel_ridge.build().fit(bags.vectors[out], labels_for(k)[out], ones, 0)
        found = fitted.predict(bags.vectors[~out])
        held = np.unique(bags.site[~out])
        best = np.stack([found[bags.site[~out] == site].max(0) for site in held])
        given = bags.field_labels[held]
        areas += [
            _area(given[:, c], best[:, c])
            for c in range(given.shape[1])
            if 0 < given[:, c].sum() < len(given)
        ]
    return float(np.mean(areas))


def test_labels_by_chance_say_nothing_of_fields_that_were_left_out():
    areas = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        bags, _ = _bags(seed, fields=60, each=4, classes=2)
        bags = replace(
            bags,
            field_labels=random.random((60, 2)) < 0.5,
            vectors=random.normal(size=bags.vectors.shape).astype(np.float32),
            group=bags.site,
        )
        fold = random.permutation(np.arange(60) % 3)
        whole = build("soft_ratio", restarts=1)(bags).label
        _, apart = _made(bags, fold, method="soft_ratio")
        ways = (dict.fromkeys(range(3), bags.inherited), dict.fromkeys(range(3), whole), apart)
        areas.append([_ranked(bags, fold, way.get) for way in ways])
    # The same fields are a little easy or hard by chance, whatever was learned of the others.
    inherited, at_once, without = np.mean(areas, axis=0)
    assert abs(inherited - 0.5) < 0.1
    assert at_once - inherited > 0.08, "labels of all folds at once have met them"
    assert abs(without - inherited) < 0.04


def test_shares_of_an_audit_are_named_as_the_means_over_folds_that_they_are():
    bags, _ = _bags(fields=12, each=2)
    told = iter([0.25, 0.75])

    def audited(some):
        cells = len(some.site)
        share = {"share": next(told), "low": 0.0, "high": 1.0, "judged": 60}
        facts = {"audit": {"cells": 60, "false_of_all": share}}
        label = np.zeros((cells, 3), np.float32)
        return CellLabels(label, np.ones(cells, np.float32), ("made",) * cells, facts)

    found, _ = labels_without_folds(bags, np.arange(12) % 2, audited, _silent)
    assert "audit" not in found.facts
    assert found.facts["audit_mean_over_folds"]["false_of_all"]["share"] == 0.5
