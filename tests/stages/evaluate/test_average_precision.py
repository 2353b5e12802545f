"""Average precision, macro over classes, with intervals from whole groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cellwise.errors import BadOption
from cellwise.stages.evaluate._bootstrap import group_draws, interval, numbered, row_means
from cellwise.stages.evaluate.average_precision import average_precision, build


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


def _world(n=120, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 3)) < [0.5, 0.2, 0.3]
    truth[:, 2] = ~truth[:, :2].any(axis=1)
    scores = truth + rng.normal(0, 0.7, truth.shape)
    return truth, scores, rng.integers(0, 30, n)


def _evaluate(truth, scores, groups, **options):
    names = [f"k{c}" for c in range(truth.shape[1] - 1)] + ["none"]
    return build(**options)(truth, scores, names=names, negative="none", groups=groups, seed=1)


def test_macro_is_the_mean_over_classes_with_and_without_the_negative():
    truth, scores, groups = _world()
    found = _evaluate(truth, scores, groups)
    each = [average_precision_score(truth[:, c], scores[:, c]) for c in range(3)]
    assert [row.value for row in found.classes] == pytest.approx(each)
    assert found.value == pytest.approx(np.mean(each))
    assert found.positive_value == pytest.approx(np.mean(each[:2]))
    assert found.low < found.value < found.high
    assert found.positive_low < found.positive_value < found.positive_high


def test_the_interval_equals_slow_draws_of_whole_groups():
    truth, scores, groups = _world()
    found = _evaluate(truth, scores, groups, draws=1500)
    rng = np.random.default_rng(5)
    slow = []
    for _ in range(600):
        chosen = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(0, 30, 30)])
        slow.append(
            np.mean(
                [average_precision_score(truth[chosen, c], scores[chosen, c]) for c in range(3)]
            )
        )
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.02)


def test_rare_classes_are_listed_apart_with_the_reason():
    truth = np.zeros((12, 4), dtype=bool)
    truth[:2, 0] = True
    truth[:4, 1] = True
    truth[:, 2] = True
    truth[::2, 3] = True
    groups = np.array([0] * 4 + list(range(1, 9)))
    found = _evaluate(truth, np.random.default_rng(0).random((12, 4)), groups)
    why = [row.apart for row in found.classes]
    assert why == ["only 2 positives", "positives in 1 group only", "every item carries it", ""]
    assert found.value == found.classes[3].value
    assert np.isnan(found.positive_value)


def test_no_item_and_no_class_give_nan_and_no_warning():
    found = _evaluate(np.zeros((0, 2), bool), np.zeros((0, 2)), np.zeros(0, np.int64))
    assert np.isnan(found.value)
    assert found.n == 0


def test_chunks_of_draws_change_nothing(monkeypatch):
    truth, scores, groups = _world()
    whole = _evaluate(truth, scores, groups, draws=50)
    monkeypatch.setattr("cellwise.stages.evaluate._bootstrap._ITEMS_AT_ONCE", 500)
    assert _evaluate(truth, scores, groups, draws=50) == whole


def test_machinery_of_the_bootstrap():
    assert numbered(["b", "a", "b"]).tolist() == [1, 0, 1]
    drawn = group_draws(7, draws=20, seed=0)
    assert (drawn.sum(axis=1) == 7).all()
    assert group_draws(0, draws=3, seed=0).shape == (3, 0)
    assert interval(np.array([np.nan, np.nan, 1.0]))[0] != interval(np.array([np.nan, 1.0]))[0]
    assert row_means(np.array([[1.0, np.nan], [np.nan, np.nan]]))[0] == 1
    with pytest.raises(BadOption):
        build(draws=0)
