"""Exclusive cells share out their labels: coverage by brute force, parts by their totals."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.labeller import Bags
from cellwise.errors import BadOption
from cellwise.stages.label import assign, soft
from cellwise.stages.label._cover import MOST_LABELS, covering


def _bags(site, field_labels, scores, model=None):
    no = np.zeros(len(site), bool)
    return Bags(
        np.array(site, np.int64), np.array(field_labels, bool), np.array(scores, np.float32),
        no, no, None if model is None else np.array(model, np.int64),
    )  # fmt: skip


@st.composite
def fields(draw):
    """Chances of a few cells over a few labels, and perhaps one free answer."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels, free = draw(st.integers(1, 3)), draw(st.integers(0, 1))
    cells = draw(st.integers(1, 5))
    chances = rng.dirichlet(np.full(labels + free, 0.5), cells)
    return chances, labels


@st.composite
def scored_bags(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, sites, classes = draw(st.integers(1, 25)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    scores = rng.normal(0, 3, (n, classes))
    scores[rng.random(n) < 0.1] = np.nan
    site = rng.integers(0, sites, n)
    return _bags(site, rng.random((sites, classes)) < 0.6, scores, site % 2)


def by_counting(chances, labels):
    """The same by adding up the probability of every way to give answers to cells."""
    total = np.zeros_like(chances)
    for ways in product(range(chances.shape[1]), repeat=len(chances)):
        if set(range(labels)) <= set(ways):
            weight = np.prod([chances[cell, answer] for cell, answer in enumerate(ways)])
            for cell, answer in enumerate(ways):
                total[cell, answer] += weight
    return total / total.sum(axis=1, keepdims=True)


def test_the_only_cell_that_can_show_a_label_shows_it():
    """Two cells, two labels: either both straight or both crossed."""
    found = covering(np.array([[0.9, 0.1], [0.8, 0.2]]), 2)
    straight, crossed = 0.9 * 0.2, 0.1 * 0.8
    expected = straight / (straight + crossed)
    assert found == pytest.approx(np.array([[expected, 1 - expected], [1 - expected, expected]]))


@given(fields())
@settings(max_examples=80, deadline=None)
def test_covering_agrees_with_counting_every_way(field):
    chances, labels = field
    if len(chances) < labels:
        assert covering(chances, labels) is chances
    else:
        assert covering(chances, labels) == pytest.approx(by_counting(chances, labels), abs=1e-9)


def test_many_cells_and_labels_stay_finite():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.full(MOST_LABELS + 1, 0.05), 160)
    found = covering(chances, MOST_LABELS)
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(1)
    assert (found[:, :MOST_LABELS].sum(axis=0) >= 1 - 1e-6).all()


def test_a_label_that_is_impossible_for_all_cells_leaves_them_as_they_are():
    chances = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert covering(chances, 2) == pytest.approx(chances)


def test_a_frequent_class_does_not_starve_a_rare_one():
    """The scores always prefer class 0, and a little less where class 1 is shown."""
    scores = np.array([[4, 0], [4, 0], [4, 1.5], [4, 1.5]], float)
    bags = _bags([0, 1, 0, 1], [[1, 1], [1, 1]], scores)
    timid = soft.build(exclusive=True, none=False)(bags).label
    assert (timid.argmax(1) == 0).all()
    found = assign.build(none=False, cover=False)(bags).label
    assert found.argmax(1).tolist() == [0, 0, 1, 1]
    assert found.sum(axis=0) == pytest.approx([2, 2], abs=0.01)


def test_models_have_biases_of_their_own():
    scores = np.array([[0, 0], [0, 2], [5, 0], [5, 2]], float)
    bags = _bags([0, 0, 1, 1], [[1, 1], [1, 1]], scores, [0, 0, 1, 1])
    found = assign.build(none=False, cover=False)(bags).label
    assert found[:2] == pytest.approx(found[2:], abs=0.01)


def test_without_parts_and_cover_it_is_exclusive_soft():
    rng = np.random.default_rng(3)
    bags = _bags(rng.integers(0, 4, 20), rng.random((4, 3)) < 0.7, rng.normal(size=(20, 3)))
    for none in (True, False):
        plain = assign.build(sharpen=2.0, parts=False, cover=False, none=none)(bags)
        assert plain.label == pytest.approx(
            soft.build(exclusive=True, sharpen=2.0, none=none)(bags).label, abs=1e-6
        )


@given(scored_bags(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_labels_stay_inside_the_field_and_sum_to_at_most_one(bags, parts, cover, none):
    found = assign.build(parts=parts, cover=cover, none=none)(bags)
    scored = np.isfinite(bags.scores).all(axis=1)
    assert (found.label <= bags.inherited + 1e-6).all()
    assert (found.label[scored].sum(axis=1) <= 1 + 1e-5).all()
    assert np.array_equal(found.label[~scored], bags.inherited[~scored])
    if cover:
        for site in np.unique(bags.site[scored]):
            shown = found.label[scored & (bags.site == site)].sum(axis=0)
            wanted = bags.field_labels[site]
            if wanted.sum() <= (scored & (bags.site == site)).sum():
                assert (shown[wanted] >= 1 - 1e-3).all()


@given(scored_bags(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_cells_does_not_matter(bags, random):
    order = list(range(len(bags.site)))
    random.shuffle(order)
    mixed = Bags(bags.site[order], bags.field_labels, bags.scores[order], bags.border[order],
                 bags.tiny[order], bags.model[order])  # fmt: skip
    one, other = assign.build()(bags).label, assign.build()(mixed).label
    assert one[order] == pytest.approx(other, abs=1e-5)


def test_cells_without_any_score_keep_what_they_inherit():
    bags = _bags([0, 0], [[1, 0]], [[np.nan, np.nan]] * 2)
    found = assign.build()(bags)
    assert found.label.tolist() == [[1, 0], [1, 0]]
    assert found.reason == ("unscored", "unscored")


@pytest.mark.parametrize("options", [{"sharpen": 0.0}, {"border": -1.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(BadOption):
        assign.build(**options)
