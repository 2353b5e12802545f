"""Shares of cells per pattern: counts mended by judged cells, bounds, entropy, mixtures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.measures.patterns import Rates, patterns_of, rates_of
from cellwise.measures.weighted import Share

NONE = np.full((1, 1), -1, np.int8)


def _rate(found, false, *, wide=0.0):
    ends = [(value, value - wide, value + wide) for value in (found, false)]
    return Rates(Share(*ends[0], 50, 40), Share(*ends[1], 50, 5))


def _one(claimed, rate, *, label=-1):
    claimed = np.asarray(claimed, bool)[:, None]
    unit = np.zeros(len(claimed), np.int64)
    return patterns_of(claimed, claimed * 0.8 + 0.1, unit, [rate], np.full((1, 1), label, np.int8))


def test_a_count_is_adjusted_by_what_is_missed_and_what_is_claimed_wrongly():
    # Of 100 cells 40 show it: 0.8 of them and 0.1 of the others are claimed.
    found = _one([True] * 38 + [False] * 62, _rate(0.8, 0.1))
    assert found.claimed[0, 0] == pytest.approx(0.38)
    assert found.share[0, 0] == pytest.approx(0.4)
    assert found.low[0, 0] < 0.4 < found.high[0, 0]
    surer = _one([True] * 380 + [False] * 620, _rate(0.8, 0.1))
    vaguer = _one([True] * 38 + [False] * 62, _rate(0.8, 0.1, wide=0.1))
    width = [each.high[0, 0] - each.low[0, 0] for each in (surer, found, vaguer)]
    assert width[0] < width[1] < width[2]


def test_intervals_hold_the_share_nine_times_of_ten():
    random = np.random.default_rng(0)
    held = []
    for _ in range(300):
        judged = random.random(400) < 0.4
        said = random.random(400) < np.where(judged, 0.75, 0.15)
        rate = rates_of(said, judged.astype(float), np.ones(400), np.arange(400))
        true = random.random(60) < random.random()
        claimed = random.random(60) < np.where(true, 0.75, 0.15)
        found = _one(claimed, rate)
        held.append(found.low[0, 0] <= true.mean() <= found.high[0, 0])
    assert np.mean(held) == pytest.approx(0.92, abs=0.05)


def test_without_judged_cells_labels_set_bounds_and_no_share():
    for label, low in ((1, 0.25), (0, 0.0), (-1, 0.0)):
        found = _one([True, False, False, False], None, label=label)
        assert np.isnan(found.share[0, 0])
        assert (found.low[0, 0], found.high[0, 0]) == (low, 1.0)


def test_few_judged_cells_and_claims_without_meaning_give_no_rates():
    shows = np.array([1.0] * 9 + [0.0] * 50)
    one = np.ones(59)
    assert rates_of(shows == 1, shows, one, np.arange(59)) is None
    shows = np.tile([1.0, 0.0], 40)
    assert rates_of(np.arange(80) % 4 < 2, shows, np.ones(80), np.arange(80)) is None
    assert rates_of(shows == 1, shows, np.ones(80), np.arange(80)).found.value == 1
    assert rates_of(shows == 1, shows, np.zeros(80), np.arange(80)) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_cells_of_a_unit_differ_by_their_probabilities_alone(seed):
    random = np.random.default_rng(seed)
    unit = random.integers(0, 4, 40)
    chance = random.random((40, 3))
    rates, given_ = [None] * 3, np.full((4, 3), -1, np.int8)
    found = patterns_of(chance > 0.5, chance, unit, rates, given_)
    alike = patterns_of(chance > 0.5, np.tile(chance[:1], (40, 1)), unit, rates, given_)
    assert alike.entropy == pytest.approx(np.zeros(4), abs=1e-9)
    assert (found.entropy >= 0).all()
    assert (found.entropy <= 3 + 1e-9).all()
    order = random.permutation(40)
    again = patterns_of(chance[order] > 0.5, chance[order], unit[order], rates, given_)
    assert again.entropy == pytest.approx(found.entropy)
    # Half of the cells sure of a class and half sure of none: one bit.
    halves = np.repeat([[0.0], [1.0]], 8, axis=0)
    bit = patterns_of(halves > 0.5, halves, np.zeros(16, int), [None], NONE)
    assert bit.entropy[0] == pytest.approx(1)
    assert bit.mixed[0, 0]


def test_fields_of_one_kind_are_hardly_ever_taken_for_mixtures():
    random = np.random.default_rng(1)
    rate = _rate(0.85, 0.1)
    unit = np.repeat(np.arange(400), 20)
    shows = np.arange(400)[unit] % 2 == 0
    claimed = (random.random(8000) < np.where(shows, 0.85, 0.1))[:, None]
    given_ = np.full((400, 1), -1, np.int8)
    alike = patterns_of(claimed, np.where(claimed, 0.5, 0.0), unit, [rate], given_)
    assert alike.mixed.mean() <= 0.02
    half = np.tile(np.arange(20) < 10, 400)
    claimed = (random.random(8000) < np.where(half, 0.85, 0.1))[:, None]
    some = patterns_of(claimed, np.where(claimed, 0.5, 0.0), unit, [rate], given_)
    assert some.mixed.mean() > 0.5
