"""Average precision on a judged draw, before and after, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cellwise.measures.precision_change import LEAST, precision_change

RANDOM = np.random.default_rng(5)
CELLS = 400
TRUE = (RANDOM.random((CELLS, 3)) < [0.4, 0.1, 0.0]).astype(float)
WEIGHT = RANDOM.choice([1.0, 3.0, 20.0], (CELLS, 1)) * np.ones((1, 3))
JUDGED = RANDOM.random(CELLS) < 0.5
SHOWS = np.where(JUDGED[:, None], TRUE, np.nan)
WORSE, BETTER = (np.clip(TRUE * pull + RANDOM.random((CELLS, 3)), 0, 2) / 2 for pull in (0.2, 0.9))
GROUP = np.arange(CELLS) // 8


def test_values_are_those_of_scikit_learn_with_what_cells_stand_for_as_weights():
    found, mean = precision_change(
        SHOWS, WEIGHT * JUDGED[:, None], (WORSE, BETTER), GROUP, draws=200
    )
    for column in (0, 1):
        truth, weight = TRUE[JUDGED, column], WEIGHT[JUDGED, column]
        for chance, value in ((WORSE, found[column].before), (BETTER, found[column].after)):
            expected = average_precision_score(truth, chance[JUDGED, column], sample_weight=weight)
            assert value == pytest.approx(expected)
        assert found[column].seen == truth.sum()
        assert found[column].judged == JUDGED.sum()
        apart = found[column].after - found[column].before
        assert 0 < found[column].low < apart < found[column].high
    assert found[2] is None
    assert mean.after == pytest.approx((found[0].after + found[1].after) / 2)


def test_the_same_model_twice_has_not_changed():
    found, mean = precision_change(SHOWS, WEIGHT, (BETTER, BETTER), GROUP, draws=50)
    assert [(one.low, one.high) for one in found[:2]] == [(0, 0), (0, 0)]
    assert (mean.low, mean.high) == (0, 0)


def test_of_too_few_cells_nothing_is_said():
    shows = np.where(np.cumsum(TRUE[:, :1], 0) < LEAST, TRUE[:, :1], 0)
    assert shows.sum() == LEAST - 1
    ones = np.ones((CELLS, 1))
    assert precision_change(shows, ones, (ones, ones), GROUP) == ([None], None)
    # Nobody stands for others before all strata were judged.
    assert precision_change(TRUE, 0 * WEIGHT, (WORSE, BETTER), GROUP) == ([None] * 3, None)
