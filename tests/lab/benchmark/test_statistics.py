"""Intervals, p-values, Holm's correction and the gap closed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.benchmark.resampling import Shape, as_is, gathered, resample
from cellwise.lab.benchmark.statistics import (
    Arm,
    Estimate,
    accuracy,
    difference,
    gap_closed,
    holm,
    over_worlds,
    p_value,
    sign,
)
from cellwise.measures.average_precision import average_precision, rank


def test_holm_by_hand():
    """Sorted .01 .02 .03 .04 times 4 3 2 1, never falling: .04 .06 .06 .06."""
    assert holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_holm_passes_over_what_is_no_test():
    found = holm([0.01, math.nan, 0.5])
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(0.5)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_between_the_plain_value_and_bonferroni(values):
    for plain, adjusted in zip(values, holm(values), strict=True):
        assert plain <= adjusted <= min(1.0, len(values) * plain) + 1e-12 or plain > 1 / len(values)
        assert adjusted <= 1


@given(st.permutations(range(6)))
def test_holm_does_not_depend_on_the_order(order):
    values = [0.001, 0.004, 0.02, 0.02, 0.3, 0.9]
    plain = holm(values)
    assert holm([values[i] for i in order]) == pytest.approx([plain[i] for i in order])


def test_arms_that_are_the_same_differ_by_exactly_nothing():
    arm = Arm(0.6, np.linspace(0.5, 0.7, 200))
    found = difference(arm, arm)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert p_value(arm.drawn - arm.drawn) == 1
    assert sign(found, 1.0) == "open"


def test_a_p_value_is_never_nothing_and_counts_both_sides():
    assert p_value(np.full(99, 0.1)) == pytest.approx(2 / 100)
    assert p_value(np.array([-1.0, 1.0, 1.0, 1.0])) == pytest.approx(2 * 2 / 5)
    assert p_value(np.array([1.0, -1.0])) == 1
    assert math.isnan(p_value(np.full(3, math.nan)))


def test_a_sign_counts_only_after_holm():
    clear = Estimate(0.1, 0.05, 0.15)
    assert sign(clear, 0.01) == "better"
    assert sign(clear, 0.2) == "open"
    assert sign(Estimate(-0.1, -0.2, -0.02), 0.01) == "worse"
    assert sign(Estimate(0.1, -0.01, 0.2), 0.04) == "open"
    assert sign(clear, math.nan) == "open"


def test_an_interval_needs_half_of_its_draws():
    half = np.r_[np.full(51, math.nan), np.ones(49)]
    assert math.isnan(accuracy(Arm(1.0, half)).low)
    assert accuracy(Arm(1.0, half[2:])).low == 1


def test_the_gap_closed_by_hand():
    floor, ceiling = Arm(0.5, np.full(100, 0.5)), Arm(0.7, np.full(100, 0.7))
    found = gap_closed(Arm(0.6, np.full(100, 0.6)), floor, ceiling)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert gap_closed(ceiling, floor, ceiling).value == pytest.approx(1)
    assert gap_closed(floor, floor, ceiling).value == pytest.approx(0)


def test_a_small_gap_gives_no_ratio():
    random = np.random.default_rng(0)
    floor = Arm(0.5, np.full(500, 0.5))
    ceiling = Arm(0.56, 0.56 + random.normal(0, 0.02, 500))
    assert difference(ceiling, floor).low < 0.05
    assert gap_closed(Arm(0.55, ceiling.drawn), floor, ceiling) is None


def test_numerator_and_denominator_are_drawn_together():
    """An arm that always closes half has an interval without width, however wide the gap's is."""
    random = np.random.default_rng(1)
    floor = Arm(0.4, 0.4 + random.normal(0, 0.05, 400))
    ceiling = Arm(0.7, floor.drawn + random.uniform(0.1, 0.5, 400))
    half = Arm(0.55, (floor.drawn + ceiling.drawn) / 2)
    found = gap_closed(half, floor, ceiling)
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))


def _world(random, *, groups, effect, shift=0.0):
    """Two arms on cells in groups; the second sees the class better by `effect`."""
    group = np.repeat(np.arange(groups), 4)
    truth = random.random(len(group)) < 0.4
    truth[:2] = True, False
    habit = random.normal(0, 0.5, groups)[group]
    noise = random.normal(0, 1, len(group))
    first = truth * (1.0 + shift) + habit + noise
    second = truth * (1.0 + shift + effect) + habit + noise + random.normal(0, 0.3, len(group))
    return truth, group, first, second


def _arms(worlds, *, groups, seed, draws):
    """Both arms: their value, and their value in each draw."""
    shapes = [Shape(groups, 1)] * len(worlds)
    arms = []
    for which in (2, 3):
        ranked = [rank(world[0], world[which], world[1], count=groups) for world in worlds]
        one, many = as_is(shapes), resample(shapes, draws=draws, seed=seed)
        values, drawn = (
            gathered(
                places,
                [r.precision(p.groups)[None] for r, p in zip(ranked, places, strict=True)],
                draws=count,
            )
            for places, count in ((one, 1), (many, draws))
        )
        arms.append(Arm(float(values[0]), drawn))
    return arms


@pytest.mark.long
def test_the_interval_of_a_difference_covers_what_is_so():
    """Of 150 repetitions with a known difference some 95 % of the intervals hold it."""
    random = np.random.default_rng(5)
    truth, _, first, second = _world(random, groups=20_000, effect=0.5)
    known = average_precision(truth, second) - average_precision(truth, first)
    held = 0
    for repetition in range(150):
        some = [_world(random, groups=30, effect=0.5) for _ in range(3)]
        base, better = _arms(some, groups=30, seed=repetition, draws=300)
        found = difference(better, base)
        held += found.low <= known <= found.high
    # Three worlds are few: intervals that are a little too wide are wanted, too narrow ones not.
    assert held / 150 >= 0.92


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=10))
def test_the_interval_over_worlds_is_that_of_scipys_test(values):
    from scipy.stats import ttest_1samp

    found = over_worlds(np.array([*values, np.nan]), clusters=len(values) + 1)
    assert found.value == pytest.approx(np.mean(values))
    if np.std(values) > 1e-9:
        slow = ttest_1samp(values, 0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((slow.low, slow.high))


def test_the_same_plates_in_every_world_are_one_cluster_and_have_no_interval_over_worlds():
    found = over_worlds(np.array([0.1, 0.2, 0.3]), clusters=1)
    assert found.value == pytest.approx(0.2)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(over_worlds(np.array([np.nan]), clusters=1).value)
