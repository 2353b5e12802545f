"""Progressive pseudo-labels: how many cells of unlabelled fields get which class, and held out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from tests.stages.label.test_labellers import _bags as _scored
from tests.stages.label.test_posterior import _bags

from cellwise.contracts.labeller import INHERITED, SUPPORTED, UNASSIGNED
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.label import labellers, progressive
from cellwise.stages.label._per_fold import labels_without_folds
from cellwise.stages.label.spec import Options


def _half(fields=40, each=5, seed=0):
    """The cells of `_bags`, every second field without its labels; and the truth."""
    bags, truth = _bags(seed, fields=fields, each=each)
    labelled = np.arange(fields) % 4 < 2
    labels = bags.field_labels & labelled[:, None]
    return replace(bags, field_labels=labels, labelled=labelled), truth


def _free(bags):
    return ~bags.labelled[bags.site]


def test_of_each_class_so_many_cells_as_labelled_fields_suggest_get_it_and_more_each_round():
    bags, truth = _half()
    free = _free(bags)
    found = progressive.build(fraction=0.2, growth=0.3, rounds=3)(bags)
    rounds = found.facts["given_in_rounds"]
    assert [one["fraction"] for one in rounds.values()] == [0.2, 0.5, 0.8]
    share = bags.inherited[~free].mean(axis=0, dtype=np.float64)
    for one in rounds.values():
        wanted = np.ceil(one["fraction"] * share * free.sum() - 1e-6)
        assert [one["of_class"][name] for name in bags.classes] == wanted.tolist()
    given = [one["given"] for one in rounds.values()]
    assert given[0] < given[1] < given[2] <= free.sum() == found.facts["unlabelled_cells"]
    chosen = free & (found.weight > 0)
    assert chosen.sum() == given[2]
    assert set(np.array(found.reason)[~free]) == {INHERITED}
    assert set(np.array(found.reason)[chosen]) == {SUPPORTED}
    assert (found.weight[free & (np.array(found.reason) == UNASSIGNED)] == 0).all()
    # What was given is right more often than chance would have it.
    hard = (found.label == 1) & chosen[:, None]
    assert truth[hard].mean() > truth[free].mean() + 0.2
    assert found.label[~free].tolist() == bags.inherited[~free].tolist()


def test_first_cells_are_surer_than_later_ones():
    bags, truth = _half()
    right = []
    for fraction in (0.1, 0.6):
        found = progressive.build(fraction=fraction)(bags)
        hard = (found.label == 1) & _free(bags)[:, None]
        right.append(truth[hard].mean())
    assert right[0] > right[1]


@given(st.integers(0, 2**31), st.floats(0.05, 1), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_scores_equal_a_slow_loop(seed, fraction, fields):
    random = np.random.default_rng(seed)
    labelled = np.arange(2 * fields) % 2 == 0
    site = random.integers(0, 2 * fields, 30)
    labels = (random.random((2 * fields, 3)) < 0.5) & labelled[:, None]
    scores = random.normal(0, 2, (30, 3)).astype(np.float32)
    bags = replace(_scored(site, labels, scores), labelled=labelled, classes=("a", "b", "c"))
    free = ~labelled[site]
    if not (~free).any() or not free.any():
        return
    found = progressive.build(fraction=fraction)(bags)
    own = bags.inherited[~free].astype(np.float64)
    chance = 1 / (1 + np.exp(-scores[free].astype(np.float64)))
    every = np.c_[chance, 1 - chance.max(axis=1)]
    share = np.r_[own.mean(axis=0), (own.max(axis=1) == 0).mean()]
    for c in range(3):
        count = int(np.ceil(fraction * share[c] * free.sum() - 1e-6))
        top = set(np.argsort(-every[:, c], kind="stable")[:count].tolist())
        label = found.label[free][:, c]
        assert all(label[cell] == 1 for cell in top)
        others = [cell for cell in range(free.sum()) if cell not in top]
        # Others keep the chance, or 0 where they were given to show none.
        for cell in others:
            assert label[cell] == 0 or label[cell] == pytest.approx(chance[cell, c], abs=1e-5)
    assert ((found.weight > 0) | free).all()


def test_labels_of_an_earlier_step_are_kept_and_say_how_frequent_a_class_is():
    scores = logit(np.array([[0.5], [0.5], [0.9], [0.8], [0.7], [0.6]]))
    bags = _scored([0, 0, 1, 1, 1, 1], [[1], [0]], scores)
    given = np.array([[1.0], [0.5], *[[np.nan]] * 4], np.float32)
    bags = replace(bags, labelled=np.array([True, False]), classes=("a",), given=given)
    found = progressive.build(fraction=1.0)(bags)
    # Three in four cells show it, and one in four none.
    assert found.label[:, 0].tolist() == pytest.approx([1, 0.5, 1, 1, 1, 0])
    assert found.reason[:2] == (SUPPORTED, SUPPORTED)
    assert found.weight.tolist() == [1] * 6


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000))
def test_other_labels_of_a_fold_change_nothing_that_is_made_without_it(seed):
    bags, _ = _half(24, 3, seed)
    fold = np.where(bags.labelled, np.arange(24) // 4 % 3, -1)
    labeller = progressive.build(fraction=0.3, rounds=2)

    def without(one):
        return labels_without_folds(one, fold, labeller, lambda done, total: None)

    labels = bags.field_labels.copy()
    labels[fold == 1] = ~labels[fold == 1]
    found, before = without(bags)
    _, after = without(replace(bags, field_labels=labels))
    assert before[1].tobytes() == after[1].tobytes()
    assert before[0].tobytes() != after[0].tobytes()
    free = _free(bags)
    for name, label in before.items():
        own = fold[bags.site] == name
        assert np.isnan(label[own]).all()
        assert np.isfinite(label[~own & ~free]).all()
    # A cell weighs something where without any fold it was given a class.
    some = np.isfinite(np.stack([*before.values()])).all(axis=2).any(axis=0)
    assert (found.weight[free] > 0).tolist() == some[free].tolist()
    assert np.isfinite(found.label).all()
    assert some[free].any()


def test_without_open_cells_nothing_is_given_and_without_labels_it_is_refused():
    bags, _ = _bags(fields=6, each=2)
    found = progressive.build()(replace(bags, labelled=np.ones(6, bool)))
    assert np.array_equal(found.label, bags.inherited)
    assert found.facts["given_in_rounds"] == {}
    with pytest.raises(PreflightError, match="no field has a label"):
        progressive.build()(replace(bags, labelled=np.zeros(6, bool)))


def test_settings_that_cannot_be_are_refused():
    for name, wrong in (("fraction", 0.0), ("fraction", 1.5), ("growth", -0.1), ("rounds", 0)):
        with pytest.raises(BadOption):
            labellers.build({"name": "progressive", name: wrong})
    with pytest.raises(BadOption, match="one round"):
        progressive.build(rounds=2)(_scored([0], [[1]], [[0.0]]))
    with pytest.raises(BadOption, match="labels no unlabelled fields"):
        Options.of({"by": "soft", "from": "cell", "test_part": True})
    made = {"by": "progressive", "embeddings": "v", "labels": "shown", "test_part": True}
    assert Options.of(made).takes_unlabelled
