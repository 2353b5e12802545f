"""Conformal sets: thresholds against counting by hand, promises on new cells, and faults."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.measures.conformal import FEWEST, Sample, fit_sets, in_sets


def _sample(chance, shows, *, group=None, weight=None):
    chance = np.asarray(chance, float).reshape(len(chance), -1)
    shows = np.asarray(shows, float).reshape(len(chance), -1)
    group = np.arange(len(chance)) if group is None else group
    return Sample(chance, shows, np.ones(len(chance)) if weight is None else weight, group)


def test_the_threshold_leaves_out_as_many_as_it_may():
    # 99 cells that show it, at .01 to .99: one in ten of the next ones lies below the tenth.
    chance = np.arange(1, 100) / 100
    found = fit_sets(_sample(np.random.default_rng(0).permutation(chance), np.ones(99)))
    (one,) = found.classes
    assert one.may == pytest.approx(0.10, abs=1e-3)
    assert one.shown == 99
    assert one.effective == pytest.approx(99, rel=0.02)
    assert found.covered.judged == 99


def test_cells_that_do_not_show_a_class_do_not_move_its_threshold_for_sets():
    random = np.random.default_rng(1)
    shown, other = random.uniform(0.2, 1, 60), random.uniform(0, 0.4, 500)
    alone = fit_sets(_sample(shown, np.ones(60))).classes[0].may
    both = fit_sets(_sample(np.r_[shown, other], np.r_[np.ones(60), np.zeros(500)])).classes[0].may
    assert both == alone


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_a_cell_that_counts_for_several_moves_the_threshold_as_they_would(seed, times):
    random = np.random.default_rng(seed)
    chance = random.random(80)
    often = random.integers(1, times + 1, 80)
    # Copies are of one group, as they are one cell.
    copied = _sample(
        np.repeat(chance, often), np.ones(often.sum()), group=np.repeat(range(80), often)
    )
    weighed = _sample(chance, np.ones(80), weight=often.astype(float))
    a, b = (fit_sets(each).classes[0] for each in (copied, weighed))
    assert a.may == pytest.approx(b.may, abs=0.05)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_cells_and_a_rising_change_of_probabilities_are_of_no_influence(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(40, 90))
    chance, shows = random.random((count, 2)), random.random((count, 2)) < 0.6
    group = random.integers(0, 30, count)
    before = fit_sets(Sample(chance, shows.astype(float), np.ones(count), group))
    order = random.permutation(count)
    after = fit_sets(
        Sample(chance[order], shows[order].astype(float), np.ones(count), group[order])
    )
    for one, other in zip(before.classes, after.classes, strict=True):
        assert one.may == pytest.approx(other.may)
        assert one.surely == other.surely
    inside = in_sets(chance, [one.may for one in before.classes])
    rising = Sample(chance**3, shows.astype(float), np.ones(count), group)
    changed = in_sets(chance**3, [one.may for one in fit_sets(rising).classes])
    # Thresholds lie between the same two cells that show the class; others may lie there too.
    assert (inside == changed)[shows].all()


def test_of_many_audits_sets_hold_nine_tenths_of_what_new_cells_show():
    held, wide, less = [], [], []
    for seed in range(40):
        random = np.random.default_rng(seed)
        group = np.repeat(np.arange(60), 5)
        # Cells of a group are alike.
        level = random.normal(0, 1, 60)[group] + random.normal(0, 1, 300)
        shows = random.random(300) < 0.5
        chance = 1 / (1 + np.exp(-level - 2 * shows))
        found = fit_sets(_sample(chance, shows, group=group))
        new = random.normal(0, np.sqrt(2), 4000)
        edge = found.classes[0].may
        held.append((1 / (1 + np.exp(-new - 2)) >= edge).mean())
        wide.append(found.covered.low <= 0.9 <= found.covered.high)
        less.append(found.effective / found.covered.judged)
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)
    assert np.mean(wide) > 0.9
    assert np.mean(less) < 0.95


def test_claims_are_wrong_in_at_most_a_tenth_and_stop_where_they_would_be_more():
    random = np.random.default_rng(3)
    chance = random.random(2000)
    shows = random.random(2000) < chance
    surely = fit_sets(_sample(chance, shows)).classes[0].surely
    # Of cells above .8 a tenth does not show it.
    assert 0.8 < surely < 0.95
    assert (~shows[chance >= surely]).mean() <= 0.1
    assert fit_sets(_sample(chance, random.random(2000) < 0.5)).classes[0].surely is None


def test_too_few_cells_or_groups_promise_nothing():
    few = fit_sets(_sample(np.linspace(0, 1, FEWEST - 1), np.ones(FEWEST - 1)))
    assert few.classes[0].may is None
    assert few.covered.judged == 0
    assert np.isnan(few.covered.value)
    of_one = fit_sets(_sample(np.linspace(0, 1, 90), np.ones(90), group=np.zeros(90, int)))
    assert of_one.classes[0].may is None
    assert not in_sets(np.ones((3, 1)), [None]).any()
    none = fit_sets(Sample(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), np.zeros(0, int)))
    assert none.judged == 0


def test_equal_probabilities_put_all_cells_into_the_set():
    found = fit_sets(_sample(np.full(50, 0.3), np.ones(50)))
    assert found.classes[0].may == pytest.approx(0.3)
    assert found.covered.value == 1
    assert in_sets(np.full((4, 1), 0.3), [found.classes[0].may]).all()


def test_cells_that_nobody_judged_count_for_nothing():
    random = np.random.default_rng(4)
    chance, shows = random.random(120), (random.random(120) < 0.7).astype(float)
    shows[80:] = np.nan
    every, some = (fit_sets(_sample(chance[:n], shows[:n])) for n in (120, 80))
    assert every.classes[0].may == pytest.approx(some.classes[0].may)
    assert every.judged == some.judged == 80


def test_an_error_of_none_or_all_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_sets(_sample(np.ones(30), np.ones(30)), error=0.0)
