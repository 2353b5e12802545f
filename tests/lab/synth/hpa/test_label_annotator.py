"""The annotator misses and invents as often as it should, and only where it can."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.lab.synth.hpa.label_annotator import make_annotator, share_of_variable
from cellwise.lab.synth.hpa.label_families import family_sets
from cellwise.lab.synth.hpa.label_sets import NEGATIVE, SPINDLE, LabelSets, empirical_sets
from cellwise.lab.synth.severity import CONTROL, SEVERITIES

DEFAULT = SEVERITIES["default"]
ANNOTATOR = make_annotator(empirical_sets(), DEFAULT)
TWO = LabelSets(((0,), (1,), (0, 1)), np.array([0.4, 0.4, 0.2]))


@given(st.integers(0, 385), st.integers(0, 2**32 - 1))
def test_given_is_the_protein_without_the_missed_and_with_the_false(number, seed):
    sets = empirical_sets()
    verdict = ANNOTATOR.judge(sets.sets[number], np.random.default_rng(seed))
    assert verdict.given == sets.sets[number]
    if verdict.given == (NEGATIVE,):
        assert verdict.protein == ()
        return
    assert verdict.protein
    assert set(verdict.given) == (set(verdict.protein) - set(verdict.missed)) | set(verdict.false)
    assert not set(verdict.false) & set(verdict.protein)
    assert not set(verdict.missed) & set(verdict.given)
    assert NEGATIVE not in verdict.protein


def test_a_label_that_stands_alone_is_never_false():
    annotator = make_annotator(TWO, replace(DEFAULT, false_adds=0.5))
    rng = np.random.default_rng(0)
    assert not any(annotator.judge((0,), rng).false for _ in range(200))


def test_false_and_missed_labels_of_two_classes_counted_by_hand():
    """Class 0 is given to 60 %, a third of them with class 1: there 3 x 3 % must be false.

    Missed: 4 in 96 of 60 % are 2.5 % of the fields; they can only hide behind {1}, 40 %.
    """
    severity = replace(DEFAULT, scv=0.0)
    annotator = make_annotator(TWO, severity)
    assert annotator.false_odds[0] == pytest.approx(3 * 0.03)
    assert annotator.misses[1, 0] == pytest.approx((0.04 / 0.96) * 0.6 / 0.4, rel=1e-6)
    assert annotator.misses[2].sum() == 0


def test_each_class_is_missed_as_often_as_it_should_be():
    sets = empirical_sets()
    per_given = sets.shares @ ANNOTATOR.misses / np.maximum(sets.class_shares(), 1e-12)
    rates = (per_given / (1 + per_given))[:NEGATIVE]
    assert rates[SPINDLE] == pytest.approx(0.75, abs=0.01)
    others = np.delete(rates, SPINDLE)
    assert others.min() >= 0.03
    assert others.max() <= 0.101


def test_labels_that_vary_are_missed_more():
    given_share = share_of_variable(DEFAULT, missed=False)
    missed_share = share_of_variable(DEFAULT, missed=True)
    assert given_share < DEFAULT.scv < missed_share
    # Bayes by hand: .08 x .10 against .92 x .04.
    assert missed_share == pytest.approx(0.008 / (0.008 + 0.0368))


def test_false_labels_come_from_classes_that_like_each_other():
    annotator, lifts = ANNOTATOR, empirical_sets().lifts()
    assert annotator.partners[9, 13]
    assert annotator.partners[SPINDLE, 16]
    assert not annotator.partners[7, 12]
    assert not annotator.partners[NEGATIVE].any()
    for label in range(NEGATIVE):
        chosen = lifts[label][annotator.partners[label]]
        assert (chosen > 1).all() or len(chosen) == 1


def test_a_known_protein_keeps_at_least_one_of_its_labels():
    severity = replace(SEVERITIES["hard"], miss=(0.9, 0.9), false_adds=0.0)
    annotator = make_annotator(family_sets(), severity)
    rng = np.random.default_rng(1)
    for _ in range(100):
        verdict = annotator.annotate((6, 7, 12, 17), severity, rng)
        assert verdict.given
        assert set(verdict.given) | set(verdict.missed) == {6, 7, 12, 17}


def test_without_noise_the_given_labels_are_the_proteins():
    annotator = make_annotator(empirical_sets(), CONTROL)
    rng = np.random.default_rng(2)
    for labels in empirical_sets().sets[:100]:
        verdict = annotator.judge(labels, rng)
        assert verdict.given == labels
        assert verdict.protein == (() if labels == (NEGATIVE,) else labels)
