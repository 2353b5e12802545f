"""Average precision under weights of whole groups."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cellwise.lab.benchmark.precision import average_precision, rank


def test_a_hand_made_ranking():
    """Ranks 1 and 3 are right: (1/1 + 2/3) / 2."""
    truth = np.array([True, False, True, False])
    assert average_precision(truth, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx(
        (1 + 2 / 3) / 2
    )


def test_equal_scores_are_taken_together():
    truth = np.array([True, False, False, True])
    assert average_precision(truth, np.full(4, 0.5)) == pytest.approx(0.5)


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
