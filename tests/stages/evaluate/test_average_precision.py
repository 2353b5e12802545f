"""Average precision, macro over classes, with intervals from whole groups."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cellwise.errors import BadOption
from cellwise.stages.evaluate._weak import _left_out
from cellwise.stages.evaluate.average_precision import build


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
    truth[:1, 0] = True
    truth[:4, 1] = True
    truth[:, 2] = True
    truth[::2, 3] = True
    groups = np.array([0] * 4 + list(range(1, 9)))
    found = _evaluate(truth, np.random.default_rng(0).random((12, 4)), groups)
    why = [row.apart for row in found.classes]
    assert why == ["only 1 positive", "positives in 1 group only", "every item carries it", ""]
    assert found.value == found.classes[3].value
    assert np.isnan(found.positive_value)


def test_no_item_and_no_class_give_nan_and_no_warning():
    found = _evaluate(np.zeros((0, 2), bool), np.zeros((0, 2)), np.zeros(0, np.int64))
    assert np.isnan(found.value)
    assert found.n == 0


def test_chunks_of_draws_change_nothing(monkeypatch):
    truth, scores, groups = _world()
    whole = _evaluate(truth, scores, groups, draws=50)
    monkeypatch.setattr("cellwise.measures.bootstrap._ITEMS_AT_ONCE", 500)
    assert _evaluate(truth, scores, groups, draws=50) == whole


def test_no_draw_is_refused():
    with pytest.raises(BadOption):
        build(draws=0)


def test_classes_left_out_for_one_reason_are_named_together():
    apart = {"a": "only 0 positives", "b": "only 1 positive", "c": "only 0 positives"}
    assert _left_out(apart) == [
        "2 classes are not in the macro mean (only 0 positives): a, c.",
        "Class 'b' is not in the macro mean: only 1 positive.",
    ]
    assert _left_out({}) == []
