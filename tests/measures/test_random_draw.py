"""Draws from strata: known chances, whole strata, any first part of them random too."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cellwise.measures.random_draw import drawn_by_strata, strata_of, worth


@given(st.integers(1, 300), st.integers(1, 320), st.integers(0, 5))
def test_as_many_are_drawn_as_asked_for_and_none_twice(cells, count, seed):
    random = np.random.default_rng(seed)
    stratum = strata_of(random.random(cells).round(1), random)
    chosen = drawn_by_strata(stratum, count, random)
    assert len(chosen) == len(set(chosen.tolist()))
    # One of each stratum at least.
    assert len(chosen) == min(max(count, stratum.max() + 1), cells)
    each, there = np.bincount(stratum[chosen]), np.bincount(stratum)
    short = each < there
    assert not short.any() or np.ptp(each[short]) <= 1, "as many of each that has more"
    assert set(stratum[chosen]) == set(stratum)


def test_cells_that_tell_more_are_drawn_more_often_each_with_its_stratum_s_chance():
    score = np.arange(1000) / 1000
    times = np.zeros(1000)
    for seed in range(300):
        random = np.random.default_rng(seed)
        times[drawn_by_strata(strata_of(score, random), 100, random)] += 1
    share = times / 300
    # A fifth in proportion (0.1 of all cells), the rest by score (of 499.5 in all).
    wanted = 100 * (0.2 / 1000 + 0.8 * score / 499.5)
    stratum = strata_of(score, np.random.default_rng(0))
    for number in range(10):
        own = stratum == number
        assert abs(share[own].mean() / wanted[own].mean() - 1) < 0.06
        assert share[own].std() < 0.03, "all with one chance"


def test_equal_scores_fall_into_strata_by_chance():
    for score in (np.zeros(400), np.full(400, 0.3)):
        first = strata_of(score, np.random.default_rng(0))
        assert len(np.bincount(first)) == 10
        assert np.ptp(np.bincount(first)) <= 2
        assert (first != strata_of(score, np.random.default_rng(1))).any()


def test_rare_classes_unsure_and_surprising_cells_tell_more():
    inherited = np.zeros((1000, 2), bool)
    inherited[:400, 0] = inherited[400:440, 1] = True
    chance = np.full((1000, 2), 0.01)
    chance[0, 0], chance[1, 0] = 0.5, 0.99
    chance[400, 1], chance[900, 0], chance[901, 1] = 0.5, 0.9, 0.9
    found = worth(inherited, chance)
    assert found[400] > 5 * found[0] > 5 * found[1] > 0, "rare over frequent, unsure over sure"
    assert found[901] > 2 * found[900] > 2 * found[999], "seen where the field lacks it"
    assert np.isfinite(worth(np.zeros((3, 2), bool), np.zeros((3, 2)))).all()
