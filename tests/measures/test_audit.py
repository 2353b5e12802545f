"""Audited shares: right on average, intervals that cover, bounds that hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.measures.audit import (
    Judged,
    false_share,
    missed_share,
    positives_bounds,
    weights,
)
from cellwise.measures.random_draw import drawn_by_strata, strata_of, worth


def _world(seed, *, fields=120, useful=True):
    """One class in a third of the fields: labels, truth, probabilities and groups of cells."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(fields), random.integers(8, 20, fields))
    has = np.arange(fields) % 3 == 0
    share = np.where(has, random.beta(3, 2, fields), random.beta(0.5, 8, fields))
    truth = (random.random(len(site)) < share[site]).astype(float)
    told = 2 * (truth - 0.5) * useful + (has[site] - 0.5) + random.normal(0, 1, len(site))
    return has[site], truth, 1 / (1 + np.exp(-told)), site // 3


def _judged(world, count, seed):
    inherited, truth, chance, group = world
    random = np.random.default_rng(seed)
    stratum = strata_of(worth(inherited[:, None], chance[:, None]), random)
    drawn = np.zeros(len(truth), bool)
    drawn[drawn_by_strata(stratum, count, random)] = True
    weight = weights(np.bincount(stratum), np.where(drawn, stratum, -1), drawn)
    return Judged(inherited, chance, np.where(drawn, truth, np.nan), weight, group)


def _true(world):
    inherited, truth, _, _ = world
    return 1 - truth[inherited].mean(), truth[~inherited].sum() / truth.sum()


@pytest.mark.parametrize("useful", [True, False])
def test_intervals_cover_what_is_true_and_estimates_are_right_on_average(useful):
    covered, wrong, width = [], [], []
    for seed in range(100):
        world = _world(seed, useful=useful)
        cells = _judged(world, 150, seed)
        for share, true in zip(
            (false_share(cells), missed_share(cells)), _true(world), strict=True
        ):
            covered.append(share.low <= true <= share.high)
            wrong.append(share.value - true)
            width.append(share.high - share.low)
    assert np.mean(covered) >= 0.88
    assert abs(np.mean(wrong)) < 0.015
    assert np.mean(width) < 0.3


def test_predictions_narrow_intervals_where_they_are_right():
    width = {}
    for useful in (True, False):
        shares = [false_share(_judged(_world(s, useful=useful), 200, s)) for s in range(30)]
        width[useful] = np.mean([share.high - share.low for share in shares])
    assert width[True] < 0.9 * width[False]


def test_all_cells_judged_give_the_share_itself():
    world = _world(3)
    cells = _judged(world, 10**6, 0)
    assert false_share(cells).value == pytest.approx(_true(world)[0])
    assert missed_share(cells).value == pytest.approx(_true(world)[1])


def test_the_estimate_is_the_mean_of_predictions_mended_by_what_judged_cells_say():
    # Twenty cells of one stratum, half of them judged; predictions are off by 0.1 throughout.
    truth = np.tile([1.0, 0.0], 10)
    chance = np.where(truth == 1, 0.9, 0.1)
    shows = np.where(np.arange(20) < 10, truth, np.nan)
    weight = np.where(np.arange(20) < 10, 2.0, 0.0)
    cells = Judged(np.ones(20, bool), chance, shows, weight, np.arange(20))
    # Slope of truth on chance is 1.25, but no more than 1 is believed.
    said, judged = 1 - chance, 1 - truth[:10]
    assert false_share(cells).value == pytest.approx(said.mean() + (judged - said[:10]).mean())
    assert (false_share(cells).judged, false_share(cells).seen) == (10, 5)


def _plain(inherited, shows):
    shows = np.array(shows, float)
    weight = np.where(np.isfinite(shows), 1.0, 0.0)
    return Judged(
        np.array(inherited), np.full(len(shows), 0.5), shows, weight, np.arange(len(shows))
    )


def test_where_nothing_was_seen_three_of_the_judged_may_have_been():
    cells = _plain([True] * 60, [1.0] * 60)
    share = false_share(cells)
    assert (share.value, share.low, share.seen) == (0, 0, 0)
    assert share.high == pytest.approx(3 / 60, rel=0.01)
    assert false_share(_plain([True] * 60, [0.0] * 60)).low == pytest.approx(1 - 3 / 60, rel=0.01)


def test_of_missed_cells_none_seen_is_not_none_there():
    cells = _plain([True] * 50 + [False] * 50, [1.0] * 50 + [0.0] * 50)
    share = missed_share(cells)
    assert (share.value, share.low) == (0, 0)
    # At most 3 of the 50 outside, beside at least 47 of the 50 inside.
    assert share.high == pytest.approx(3 / 50, rel=0.01)


def test_nothing_judged_is_nothing_known():
    cells = _plain([True, True, False], [np.nan] * 3)
    for share in (false_share(cells), missed_share(cells)):
        assert np.isnan(share.value)
        assert (share.low, share.high, share.judged) == (0, 1, 0)


def test_a_class_that_every_field_has_misses_no_cell():
    assert missed_share(_plain([True] * 4, [1.0, 0, 1, 0])).high == 0


@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(1, 40))
def test_intervals_hold_the_estimate_whatever_was_judged(seed, part, count):
    random = np.random.default_rng(seed)
    shows = np.where(random.random(count) < part, (random.random(count) < 0.3) * 1.0, np.nan)
    weight = np.where(np.isfinite(shows), random.random(count) + 0.1, 0)
    inherited = random.random(count) < 0.5
    cells = Judged(inherited, random.random(count), shows, weight, random.integers(0, 5, count))
    for share in (false_share(cells), missed_share(cells)):
        assert 0 <= share.low <= share.high <= 1
        assert np.isnan(share.value) or share.low <= share.value <= share.high


def test_cells_not_judged_count_as_not_drawn():
    there = np.array([10, 4])
    stratum = np.array([0, 0, 0, 1, 1, -1])
    judged = np.array([True, True, False, True, False, False])
    assert weights(there, stratum, judged).tolist() == [5, 5, 0, 4, 0, 0]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_bounds_hold_wherever_their_assumptions_do(fields, seed):
    """Each label is shown, and each cell shows one as far as can be.

    Fields of more labels than cells contradict that: they have cells of several classes.
    """
    random = np.random.default_rng(seed)
    false = 0
    for labels, cells in fields:
        every = np.r_[np.arange(labels), random.integers(0, labels, max(cells - labels, 0))]
        shown = random.permutation(every)
        by_cell = [shown[number::cells] for number in range(cells)]
        false += sum(0 not in one for one in by_cell)
    labels, cells = np.array(fields).T
    least, most = positives_bounds(cells, labels)
    assert least <= false <= most


def test_a_field_of_more_labels_than_cells_bounds_nothing_in_others():
    # Two cells share four labels; of the other field's ten cells all may show its one label.
    assert positives_bounds(np.array([2, 10]), np.array([4, 1])) == (0, 10)
    assert positives_bounds(np.array([4, 10]), np.array([4, 1])) == (3, 12)


def test_cells_of_groups_that_are_alike_say_less_than_as_many_of_their_own():
    random = np.random.default_rng(0)
    answer = np.repeat(np.tile([1.0, 0.0], 10), 6)
    weight = np.ones(len(answer))
    inherited = np.ones(len(answer), bool)
    chance = np.full(len(answer), 0.5)
    width = {}
    for name, group in {
        "alike": np.repeat(np.arange(20), 6),
        "mixed": random.permutation(np.repeat(np.arange(20), 6)),
        "one": np.zeros(len(answer), np.int64),
    }.items():
        share = false_share(Judged(inherited, chance, answer, weight, group))
        assert share.value == pytest.approx(0.5)
        width[name] = share.high - share.low
    assert width["alike"] > 1.8 * width["mixed"]
    # One group tells nothing of others: its cells were drawn all the same.
    assert width["one"] == pytest.approx(2 * 1.65 * 0.5 / np.sqrt(120), rel=0.1)
