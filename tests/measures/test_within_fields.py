"""Figures beside average precision: against slow sums, by properties, where nothing is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss

from cellwise.measures.within_fields import (
    brier_score,
    composition_error,
    false_claims,
    within_field_precision,
)

seeds = st.integers(0, 2**32 - 1)


def made(seed, cells=40, classes=3, fields=6):
    random = np.random.default_rng(seed)
    truth = random.random((cells, classes)) < random.uniform(0.1, 0.6)
    return truth, random.random((cells, classes)).round(1), random.integers(0, fields, cells) * 7


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_within_fields_is_the_mean_of_each_fields_own(seed):
    truth, scores, fields = made(seed)
    slow = []
    for field in set(fields.tolist()):
        here = fields == field
        if 0 < truth[here, 0].sum() < here.sum():
            slow.append(average_precision_score(truth[here, 0], scores[here, 0]))
    found = within_field_precision(truth[:, 0], scores[:, 0], fields)
    assert found == pytest.approx(np.mean(slow)) if slow else np.isnan(found)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_within_fields_does_not_see_what_is_added_to_a_whole_field(seed):
    truth, scores, fields = made(seed)
    shift = np.random.default_rng(seed + 1).normal(0, 50, 100)[fields]
    ranks = np.argsort(np.argsort(scores[:, 0], kind="stable")).astype(float)
    one = within_field_precision(truth[:, 0], ranks, fields)
    other = within_field_precision(truth[:, 0], ranks + shift, fields)
    assert one == pytest.approx(other, nan_ok=True)


def test_knowing_the_field_alone_is_worth_nothing_within_it():
    fields = np.repeat([0, 1], 4)
    truth = np.array([1, 0, 0, 0, 0, 0, 0, 0], bool)
    assert within_field_precision(truth, (fields == 0) * 1.0, fields) == 0.25
    assert within_field_precision(truth, truth * 1.0, fields) == 1.0


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_brier_score_is_scikit_learns_mean_over_classes(seed):
    truth, chance, _ = made(seed)
    slow = np.mean([brier_score_loss(t, c, pos_label=1) for t, c in zip(truth.T, chance.T)])  # noqa: B905
    assert brier_score(truth, chance) == pytest.approx(slow)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_claims_and_composition_are_what_a_loop_finds(seed):
    truth, chance, fields = made(seed)
    empty = [c for t, c in zip(truth, chance, strict=True) if not t.any()]
    found = false_claims(truth, chance)
    if empty:
        assert found == pytest.approx(np.mean([max(c) >= 0.5 for c in empty]))
    else:
        assert np.isnan(found)
    slow = []
    for field in set(fields.tolist()):
        here = fields == field
        for k in range(truth.shape[1]):
            stated, real = chance[here, k].mean(), truth[here, k].mean()
            if max(stated, real) > 0:
                slow.append(abs(stated - real))
    assert composition_error(truth, chance, fields) == pytest.approx(np.mean(slow))


def test_the_truth_itself_errs_nowhere_and_no_cells_give_no_number():
    truth, _, fields = made(3)
    certain = truth.astype(float)
    assert (brier_score(truth, certain), composition_error(truth, certain, fields)) == (0, 0)
    assert false_claims(truth, certain) == 0
    none = np.zeros((0, 3), bool)
    for value in (
        brier_score(none, none * 1.0),
        composition_error(none, none * 1.0, np.zeros(0, int)),
        false_claims(none, none * 1.0),
        within_field_precision(none[:, 0], none[:, 0] * 1.0, np.zeros(0, int)),
    ):
        assert np.isnan(value)
