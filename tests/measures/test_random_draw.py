"""Draws from strata: known chances, whole strata, any first part of them random too."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cellwise.measures.random_draw import drawn_by_strata, strata_of


@given(st.integers(1, 300), st.integers(1, 320), st.integers(0, 5))
def test_as_many_are_drawn_as_asked_for_and_none_twice(cells, count, seed):
    random = np.random.default_rng(seed)
    stratum = strata_of(random.random(cells).round(1), random)
    chosen = drawn_by_strata(stratum, count, random)
    assert len(chosen) == len(set(chosen.tolist()))
    # One of each stratum at least.
    assert len(chosen) == min(max(count, stratum.max() + 1), cells)
    assert set(stratum[chosen]) == set(stratum)


def test_the_most_surprising_cells_are_drawn_more_often_each_with_its_stratum_s_chance():
    score = np.arange(1000) / 1000
    times = np.zeros(1000)
    for seed in range(300):
        random = np.random.default_rng(seed)
        times[drawn_by_strata(strata_of(score, random), 100, random)] += 1
    share = times / 300
    # Half in proportion (0.05), half in equal numbers (12.5 of 500, 300, 150 and 50 cells).
    wanted = np.repeat([0.05 + 12.5 / n for n in (500, 300, 150, 50)], [500, 300, 150, 50])
    ends = [0, 500, 800, 950, 1000]
    for first, last in pairwise(ends):
        assert abs((share - wanted)[first:last].mean()) < 0.01
    assert np.abs(share - wanted).max() < 0.15


def test_equal_scores_fall_into_strata_by_chance():
    first = strata_of(np.zeros(400), np.random.default_rng(0))
    assert np.bincount(first).tolist() == [200, 120, 60, 20]
    assert (first != strata_of(np.zeros(400), np.random.default_rng(1))).any()
