"""Threshold labels: one class passes, cells set apart, cycles that only add, and what is told."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit, softmax
from tests.stages.label.test_labellers import _bags, scored_bags

from cellwise.contracts.labeller import INHERITED, SUPPORTED, UNASSIGNED
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.label import labellers, threshold
from cellwise.stages.label.spec import Options

TWO = [[1, 1, 0]]


def _made(chances, labels=TWO, given=None, names=("a", "b", "c"), **options):
    site = [0] * len(chances) if len(labels) == 1 else list(range(len(chances)))
    bags = replace(_bags(site, labels, logit(np.array(chances))), classes=names)
    if given is not None:
        bags = replace(bags, given=np.array(given, np.float32))
    return threshold.build(**options)(bags)


def test_one_passing_class_is_given_and_none_or_several_are_set_apart():
    found = _made([[0.6, 0.4, 0.9], [0.5, 0.1, 0.1], [0.4, 0.3, 0.9], [0.9, 0.6, 0.1]])
    assert found.label.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert found.weight.tolist() == [1, 1, 0, 0]
    assert found.reason == (SUPPORTED, SUPPORTED, UNASSIGNED, UNASSIGNED)
    assert found.facts["labelled_of_class"] == {"a": 2, "b": 0}
    assert (found.facts["labelled"], found.facts["several_passed"]) == (2, 1)


def test_the_best_of_several_is_given_where_it_is_ahead_by_the_margin():
    chances = [[0.9, 0.6, 0.1], [0.7, 0.6, 0.1]]
    assert _made(chances, margin=0.2).label.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert _made(chances, margin=0.0).label.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_cells_set_apart_teach_as_much_as_they_are_told_to():
    found = _made([[0.6, 0.4, 0.1], [0.4, 0.3, 0.1]], unassigned=0.25)
    assert found.weight.tolist() == [1, 0.25]
    assert found.label[1].tolist() == [0, 0, 0]


def test_cells_of_negative_fields_show_none_and_teach():
    found = _made([[0.9, 0.9, 0.9], [0.9, 0.1, 0.1]], labels=[[0, 0, 0], [1, 0, 0]])
    assert found.label.tolist() == [[0, 0, 0], [1, 0, 0]]
    assert found.reason == (INHERITED, SUPPORTED)
    assert found.weight.tolist() == [1, 1]


def test_a_later_cycle_keeps_what_was_given_and_judges_the_rest():
    given = [[0, 1, 0], [0, 0, 0], [np.nan] * 3]
    found = _made([[0.9, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.2, 0.1]], given=given)
    assert found.label.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert found.facts["labelled_before_of_class"] == {"a": 0, "b": 1}
    assert (found.facts["labelled_before"], found.facts["labelled"]) == (1, 2)


@given(scored_bags(), st.floats(0.05, 1), st.floats(0, 1), st.booleans(), st.floats(0.05, 1))
@settings(max_examples=80, deadline=None)
def test_threshold_equals_a_slow_loop_and_a_second_cycle_only_adds(
    bags, least, margin, exclusive, later
):
    try:
        found = threshold.build(least=least, margin=margin, exclusive=exclusive)(bags)
    except PreflightError:
        return
    for cell, site in enumerate(bags.site):
        scores = bags.scores[cell].astype(np.float64)
        if np.isfinite(scores).all():
            chance = softmax(np.r_[scores, 0])[:-1] if exclusive else expit(scores)
        else:
            chance = np.zeros(len(scores))
        passing = sorted(
            (-p, c) for c, p in enumerate(chance) if bags.field_labels[site, c] and p >= least
        )
        near = any(abs(p - least) < 1e-4 for p in chance)
        if len(passing) > 1:
            near |= abs(passing[1][0] - passing[0][0] - margin) < 1e-4
        if near:
            continue
        wanted = np.zeros(len(scores))
        if len(passing) == 1 or (
            len(passing) > 1 and margin < 1 and passing[1][0] - passing[0][0] >= margin
        ):
            wanted[passing[0][1]] = 1
        assert found.label[cell].tolist() == wanted.tolist()
    assert (found.label <= bags.inherited).all()
    assert (found.label.sum(axis=1) <= 1).all()
    again = threshold.build(least=later)(replace(bags, given=found.label))
    assert (again.label >= found.label).all()
    assert again.facts["labelled"] >= found.facts["labelled"] == again.facts["labelled_before"]


def test_where_no_cell_passes_it_is_said_before_a_network_learns_nothing():
    with pytest.raises(PreflightError, match="Set 'least' lower"):
        _made([[0.1, 0.1, 0.9]])


def test_settings_that_cannot_be_are_refused():
    for name, wrong in (("least", 0.0), ("least", 1.1), ("margin", -0.1), ("unassigned", -1.0)):
        with pytest.raises(BadOption):
            labellers.build({"name": "threshold", name: wrong})
    with pytest.raises(BadOption, match="needs scores"):
        Options.of({"by": "threshold", "labels": "cycle1"})
    assert Options.of({"by": "threshold", "from": "maps", "labels": "cycle1"}).labels == "cycle1"
    with pytest.raises(BadOption, match="starts from no labels"):
        Options.of({"by": "soft", "from": "maps", "labels": "cycle1"})
