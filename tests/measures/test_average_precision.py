"""Average precision, under weights of items and of whole groups."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cellwise.measures.average_precision import average_precision, rank, weighted_precision


def test_a_class_that_no_cell_shows_has_no_precision():
    ranked = rank(np.zeros(3, bool), np.arange(3.0), np.zeros(3, int), count=1)
    assert np.isnan(ranked.precision(np.ones((2, 1)))).all()


def test_a_draw_without_a_cell_of_the_class_has_no_precision():
    ranked = rank(np.array([True, False]), np.array([0.2, 0.8]), np.array([0, 1]), count=2)
    found = ranked.precision(np.array([[0.0, 2.0], [1.0, 1.0]]))
    assert math.isnan(found[0])
    assert found[1] == pytest.approx(0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 8))
def test_it_is_scikit_learns_with_the_weight_of_the_group(seed, cells, count):
    random = np.random.default_rng(seed)
    truth = random.random(cells) < 0.4
    truth[0] = True
    scores = random.integers(0, 6, cells) / 5
    groups = random.integers(0, count, cells)
    weights = random.integers(0, 4, (5, count)).astype(float)
    weights[:, groups[0]] += 1
    found = rank(truth, scores, groups, count=count).precision(weights)
    for value, weight in zip(found, weights, strict=True):
        kept = weight[groups] > 0
        slow = average_precision_score(
            truth[kept], scores[kept], sample_weight=weight[groups][kept]
        )
        assert value == pytest.approx(slow, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_cells_does_not_matter(seed):
    random = np.random.default_rng(seed)
    truth = random.random(40) < 0.3
    scores, groups = random.integers(0, 9, 40) / 8, random.integers(0, 5, 40)
    weights = random.integers(0, 3, (4, 5)).astype(float)
    order = random.permutation(40)
    one = rank(truth, scores, groups, count=5).precision(weights)
    other = rank(truth[order], scores[order], groups[order], count=5).precision(weights)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cells", [0, 1])
def test_hardly_any_cells_are_no_error(cells):
    ranked = rank(np.ones(cells, bool), np.ones(cells), np.zeros(cells, int), count=1)
    found = ranked.precision(np.ones((3, 1)))
    assert len(found) == 3
    assert np.isnan(found).all() if cells == 0 else (found == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(1, 8))
def test_weights_of_groups_are_weights_of_their_items(seed, cells, count):
    random = np.random.default_rng(seed)
    truth, groups = random.random(cells) < 0.4, random.integers(0, count, cells)
    scores = random.integers(0, 9, cells) / 8
    weights = random.integers(0, 4, (5, count)).astype(float)
    of_groups = rank(truth, scores, groups, count=count).precision(weights)
    of_items = weighted_precision(truth, scores, weights[:, groups])
    np.testing.assert_allclose(of_groups, of_items, rtol=1e-12)


@st.composite
def rankings(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 60))
    # Few distinct scores: ties are the difficult part.
    scores = rng.integers(0, draw(st.integers(1, 12)), n) / 7
    truth = rng.random(n) < 0.4
    truth[0] = True
    return truth, scores, rng.integers(0, 4, n).astype(float)


def test_by_hand():
    truth = np.array([True, False, True, False])
    assert average_precision(truth, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx(
        0.5 * 1 + 0.5 * 2 / 3
    )
    # All equal: one block, precision is the share of positives.
    assert average_precision(truth, np.zeros(4)) == pytest.approx(0.5)
    assert np.isnan(average_precision(np.zeros(4, bool), np.zeros(4)))
    assert np.isnan(average_precision(np.zeros(0, bool), np.zeros(0)))


@given(rankings())
@settings(deadline=None)
def test_equals_scikit_learn_with_ties(ranking):
    truth, scores, _ = ranking
    assert average_precision(truth, scores) == pytest.approx(average_precision_score(truth, scores))


@given(rankings())
@settings(deadline=None)
def test_weights_are_repeated_items(ranking):
    truth, scores, weights = ranking
    weights[0] = 1
    repeat = weights.astype(int)
    slow = average_precision_score(np.repeat(truth, repeat), np.repeat(scores, repeat))
    assert average_precision(truth, scores, weights=weights) == pytest.approx(slow)


@given(rankings(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_and_monotone_changes_of_scores_do_not_matter(ranking, random):
    truth, scores, _ = ranking
    order = list(range(len(truth)))
    random.shuffle(order)
    value = average_precision(truth, scores)
    assert average_precision(truth[order], np.exp(scores[order])) == pytest.approx(value)
    assert 0 < value <= 1
