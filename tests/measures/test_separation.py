"""Area under the ROC curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cellwise.measures.separation import separation


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60))
def test_separation_is_the_area_under_the_curve(items):
    score = np.array([s for s, _ in items], float)
    truth = np.array([t for _, t in items], bool)
    if truth.all() or not truth.any():
        assert separation(score, truth) is None
    else:
        assert separation(score, truth) == pytest.approx(roc_auc_score(truth, score))


def test_separation_counts_ties_as_one_half():
    assert separation(np.ones(4), np.array([True, False, True, False])) == 0.5
