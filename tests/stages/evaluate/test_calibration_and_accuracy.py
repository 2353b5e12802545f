"""Calibration error, Brier score, accuracy and pooling of cells."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss

from cellwise.errors import BadOption
from cellwise.stages.evaluate import accuracy, calibration, field_agreement


@st.composite
def statements(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, classes = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    chance = rng.random((n, classes))
    return rng.random((n, classes)) < chance, chance, rng.integers(0, 5, n)


def test_ece_and_brier_by_hand():
    truth, chance = np.array([[True], [False], [True]]), np.array([[0.95], [0.95], [0.25]])
    found = calibration.build()(truth, chance, groups=np.arange(3), seed=0)
    assert found.ece == pytest.approx((2 * 0.45 + 0.75) / 3)
    assert found.brier == pytest.approx((0.05**2 + 0.95**2 + 0.75**2) / 3)
    assert [row[1:] for row in found.curve] == [(1.0, 1), (0.5, 2)]
    assert [row[0] for row in found.curve] == pytest.approx([0.25, 0.95])


@given(statements())
@settings(deadline=None, max_examples=40)
def test_equals_scikit_learn_and_a_slow_loop(given_statements):
    truth, chance, groups = given_statements
    found = calibration.build(bins=5, draws=20)(truth, chance, groups=groups, seed=0)
    assert found.brier == pytest.approx(brier_score_loss(truth.ravel(), chance.ravel()))
    p, y = chance.ravel(), truth.ravel()
    slow = 0.0
    for b in range(5):
        inside = (p >= b / 5) & ((p < (b + 1) / 5) | (b == 4))
        slow += abs(p[inside].sum() - y[inside].sum()) / len(p)
    assert found.ece == pytest.approx(slow)
    assert 0 <= found.ece <= 1


def test_a_sure_and_right_statement_has_no_error():
    found = calibration.build()(np.array([[True]]), np.array([[1.0]]), groups=np.array([0]), seed=0)
    assert (found.ece, found.brier, found.brier_high) == (0, 0, 0)


def test_nothing_to_judge_gives_nan():
    empty = np.zeros((0, 2))
    found = calibration.build()(empty > 0, empty, groups=np.zeros(0, np.int64), seed=0)
    assert math.isnan(found.ece)
    assert math.isnan(
        accuracy.build()(np.zeros(0, int), empty, groups=np.zeros(0, int), seed=0).value
    )


def test_accuracy_equals_scikit_learn_and_has_an_interval():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    scores = rng.random((200, 4)) + np.eye(4)[truth] * 0.5
    found = accuracy.build()(truth, scores, groups=np.arange(200) // 4, seed=0)
    assert found.value == pytest.approx(accuracy_score(truth, scores.argmax(axis=1)))
    assert found.low < found.value < found.high
    assert found.n == 200


@pytest.mark.parametrize("part", [calibration, accuracy])
def test_bad_options_are_refused(part):
    with pytest.raises(BadOption):
        part.build(draws=0)


def test_pooling_by_hand():
    chance = np.array([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8]])
    unit = np.array([2, 2, 0])
    for way, wanted in (("mean", 0.5), ("noisy_or", 0.75), ("max", 0.5)):
        found = field_agreement.build(way)(chance, unit, count=3, negative=1)
        assert found[2] == pytest.approx([wanted, 1 - wanted])
        assert found[0] == pytest.approx([0.2, 0.8])
        assert np.isnan(found[1]).all()
    with pytest.raises(BadOption):
        field_agreement.build("median")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_noisy_or_equals_a_slow_product_and_is_at_least_the_largest(values):
    chance = np.array(values)[:, None]
    zeros = np.zeros(len(values), np.int64)
    found = field_agreement.build("noisy_or")(chance, zeros, count=1, negative=None)[0, 0]
    assert found == pytest.approx(1 - math.prod(1 - v for v in values), abs=1e-9)
    assert found >= max(values) - 1e-9
