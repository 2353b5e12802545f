"""Assignments of a plate against all permutations, against scipy, and their properties."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.kernels.assignment import balanced, best, greedy, optimal

plates = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(
        np.float32, shape, elements=st.one_of(st.integers(-6, 6), st.just(float("-inf")))
    )
)


def brute_force(scores: np.ndarray) -> tuple[int, float]:
    """How many wells can get an allowed class, and the largest sum of scores then."""
    wells, classes = scores.shape
    choices = [*range(classes), *([-1] * wells)]
    found = []
    for order in set(permutations(choices, wells)):
        pairs = [(w, c) for w, c in enumerate(order) if c >= 0]
        values = [float(scores[pair]) for pair in pairs]
        if all(np.isfinite(values)):
            found.append((len(pairs), sum(values)))
    return max(found)


def total(scores: np.ndarray, answer: np.ndarray) -> tuple[int, float]:
    used = np.flatnonzero(answer >= 0)
    return len(used), float(sum(scores[w, answer[w]] for w in used))


@given(plates)
@settings(max_examples=60, deadline=None)
def test_optimal_is_the_best_of_all_one_to_one_choices(scores):
    answer = optimal(scores)
    used = answer[answer >= 0]
    assert len(set(used.tolist())) == len(used)
    assert total(scores, answer) == pytest.approx(brute_force(scores))


@given(plates)
@settings(max_examples=60, deadline=None)
def test_greedy_takes_the_largest_free_pair_each_time(scores):
    left, expected = scores.astype(float), np.full(len(scores), -1)
    while np.isfinite(left.max()):
        well, kind = np.unravel_index(left.argmax(), left.shape)
        expected[well] = kind
        left[well], left[:, kind] = -np.inf, -np.inf
    np.testing.assert_array_equal(greedy(scores), expected)


@given(plates)
@settings(max_examples=60, deadline=None)
def test_the_best_class_is_an_allowed_one(scores):
    for row, answer in zip(scores, best(scores), strict=True):
        assert (answer == -1) == (not np.isfinite(row).any())
        assert answer == -1 or row[answer] == row.max()


def test_a_confident_wrong_well_gives_way_to_the_sum():
    scores = np.array([[5.0, 4.9], [4.0, 0.0]])
    assert greedy(scores).tolist() == [0, 1]
    assert optimal(scores).tolist() == [1, 0]


@given(plates, st.sampled_from([0.3, 1.0, 4.0]))
@settings(max_examples=60, deadline=None)
def test_balanced_rows_sum_to_one_and_forbidden_pairs_stay_zero(scores, temperature):
    found = balanced(scores, temperature=temperature)
    possible = np.isfinite(scores).any(axis=1)
    np.testing.assert_allclose(found.sum(axis=1), possible, atol=1e-9)
    assert not found[~np.isfinite(scores)].any()


def test_balancing_makes_a_doubly_stochastic_matrix():
    scores = np.random.default_rng(4).normal(size=(40, 40)) * 3
    found = balanced(scores, rounds=400)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
    # Only rows and columns were scaled: every 2 x 2 ratio is that of the logits.
    logs = np.log(found)
    ratio = logs[0, 0] + logs[1, 1] - logs[0, 1] - logs[1, 0]
    assert ratio == pytest.approx(scores[0, 0] + scores[1, 1] - scores[0, 1] - scores[1, 0])


def test_missing_wells_take_their_share_from_all_classes():
    found = balanced(np.random.default_rng(5).normal(size=(30, 40)), rounds=400)
    np.testing.assert_allclose(found.sum(axis=0), 30 / 40, atol=1e-3)


def test_a_class_that_the_network_prefers_everywhere_is_held_back():
    scores = np.random.default_rng(6).normal(size=(50, 50)) + 4 * np.eye(50)
    scores[:, 7] += 6
    assert (best(scores) == 7).mean() > 0.5
    assert (best(balanced(scores)) == np.arange(50)).mean() > 0.8


def test_no_temperature_of_zero():
    with pytest.raises(ValueError, match="above 0"):
        balanced(np.zeros((2, 2)), temperature=0)
