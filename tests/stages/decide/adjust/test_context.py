"""The context of new fields: a slow computation, what must not change it, when it keeps still."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.adjuster import Cells, LabelSets
from cellwise.errors import BadOption
from cellwise.stages.decide.adjust import adjusters

GIVEN = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0], [0, 1, 1]], bool)


def _world(seed, cells=14):
    random = np.random.default_rng(seed)
    sets = LabelSets(GIVEN, random.integers(1, 6, (2, 4)), random.uniform(0.05, 0.6, 3), 1.0)
    field = random.integers(0, 6, cells)
    bag = np.array([0, 0, 1, 2, 2, 3])[field]
    fold = np.array([-1, 0, 1, 0])[bag]
    known = Cells(field, None, np.ones(cells), np.zeros(cells, bool), bag, fold, sets)
    return random.normal(-1, 2, (cells, 3)), known


def _slow(logits, cells, weight, sharpen):
    """The same, cell by cell and set by set, in probabilities."""
    sets, result = cells.sets, logits.copy()
    p = 1 / (1 + np.exp(-logits))
    prior = np.maximum(sets.prior, 0.01)
    none = np.prod(1 - prior)
    for bag in np.unique(cells.bag):
        rows = np.flatnonzero(cells.bag == bag)
        fold = cells.fold[rows[0]]
        posterior = np.zeros(len(sets.given))
        for s, classes in enumerate(sets.given):
            posterior[s] = sum(sets.count[f, s] for f in range(len(sets.count)) if f != fold)
            for n in rows:
                if classes.any():
                    lifts = [(max(p[n, k], 1e-3) / prior[k]) ** sharpen
                             for k in np.flatnonzero(classes)]  # fmt: skip
                    fit = np.mean(lifts)
                else:
                    fit = (np.prod(1 - p[n]) / none) ** sharpen
                posterior[s] *= 0.9 * fit + 0.1
        posterior /= posterior.sum()
        share = 0.1 * prior / prior.sum()
        for s, classes in enumerate(sets.given):
            if classes.any():
                share = share + 0.9 * posterior[s] * classes / classes.sum()
        result[rows] += weight * np.log(share / (prior / prior.sum()))
    return result


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.floats(0, 2), st.floats(0.5, 3))
def test_it_agrees_with_a_slow_computation(seed, weight, sharpen):
    logits, cells = _world(seed)
    adjust = adjusters.build({"name": "context", "weight": weight, "sharpen": sharpen})
    found = adjust(logits, cells)
    np.testing.assert_allclose(found, _slow(logits, cells, weight, sharpen), atol=1e-8)


def test_many_cells_are_worked_on_in_blocks_of_any_size(monkeypatch):
    logits, cells = _world(3, cells=40)
    whole = adjusters.build("context")(logits, cells)
    monkeypatch.setattr("cellwise.stages.decide.adjust.context._BLOCK", 20)
    np.testing.assert_allclose(adjusters.build("context")(logits, cells), whole, atol=1e-12)


@given(st.integers(0, 2**32), st.permutations(range(3)))
def test_the_order_of_classes_is_of_no_influence(seed, order):
    logits, cells = _world(seed)
    sets = cells.sets
    moved = replace(cells, sets=replace(sets, given=sets.given[:, order], prior=sets.prior[order]))
    adjust = adjusters.build("context")
    found = adjust(logits[:, order], moved)
    np.testing.assert_allclose(found, adjust(logits, cells)[:, order], atol=1e-9)


def test_cells_alike_to_a_known_field_gain_its_other_label():
    sets = LabelSets(GIVEN[:2], np.array([[10, 10]]), np.array([0.2, 0.2, 0.2]), 1.0)
    field = np.zeros(3, np.int64)
    cells = Cells(field, None, np.ones(3), np.zeros(3, bool), sets=sets)
    logits = np.array([[3.0, -2.0, -3.0], [3.0, -2.0, -3.0], [-2.0, -2.0, -2.0]])
    moved = adjusters.build("context")(logits, cells) - logits
    assert (moved[:, :2] > 0).all()
    assert (moved[:, 2] < 0).all()


def test_it_keeps_still_where_label_sets_do_not_tell():
    logits, cells = _world(0)
    for sets in (None, replace(cells.sets, gain=-0.1), replace(cells.sets, gain=-np.inf)):
        found = adjusters.build("context")(logits, replace(cells, sets=sets))
        np.testing.assert_array_equal(found, logits)
    anyway = {"name": "context", "always": True}
    told = replace(cells, sets=replace(cells.sets, gain=-0.1))
    assert not np.array_equal(adjusters.build(anyway)(logits, told), logits)


def test_a_field_of_the_only_fold_with_labels_is_left_alone():
    logits, cells = _world(1)
    sets = replace(cells.sets, count=np.array([[0, 0, 0, 0], [3, 2, 1, 1]]))
    alone = replace(cells, fold=np.ones(len(logits), np.int64), sets=sets)
    np.testing.assert_allclose(adjusters.build("context")(logits, alone), logits, atol=1e-12)


def test_odd_options_are_refused():
    for options in ({"weight": -1.0}, {"sharpen": 0.0}):
        with pytest.raises(BadOption, match="decide context"):
            adjusters.build({"name": "context", **options})
