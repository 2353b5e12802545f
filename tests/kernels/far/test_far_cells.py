"""New cells against learned ones: a slow computation, and cells whose kind is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.far.cells import likeness_of_cells

NUMBERS, EACH = 24, 6


def cells(seed, count=600):
    """Fields of six cells: numbers of four hidden ones, with light of their own in each field."""
    mixed = np.random.default_rng(99).normal(size=(4, NUMBERS))
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(count, 4)) + np.repeat(
        0.5 * random.normal(size=(count // 6, 4)), 6, 0
    )
    found = hidden @ mixed + 0.3 * random.normal(size=(count, NUMBERS))
    middle = np.random.default_rng(98).uniform(-4, 4, NUMBERS)
    return ((found + middle) * np.linspace(0.1, 50, NUMBERS)).astype(np.float32)


def fields(vectors):
    return np.arange(len(vectors)) // EACH


def compared(learned, new):
    found = likeness_of_cells(learned, fields(learned) // 2, fields(learned), new, fields(new))
    assert found is not None
    return found


def exchanged(vectors):
    """As if two stains had changed places: half of the numbers are those of the other half."""
    return np.roll(vectors / np.linspace(0.1, 50, NUMBERS, dtype=np.float32), NUMBERS // 2, 1) * (
        np.linspace(0.1, 50, NUMBERS, dtype=np.float32)
    )


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_shares_are_those_of_the_slow_way(seed):
    learned, new = cells(seed, 120), cells(seed + 1, 30)
    learned[3, 2] = new[1, 5] = np.nan
    every = learned.astype(np.float64)
    mean, scale = np.nanmean(every, 0), np.nanstd(every, 0)

    def ready(values):
        return np.nan_to_num(np.clip((values.astype(np.float64) - mean) / scale, -5, 5), nan=0.0)

    points, group = ready(learned), fields(learned) // 2
    own = [
        min(np.linalg.norm(p - q) for q, h in zip(points, group, strict=True) if h != g)
        for p, g in zip(points, group, strict=True)
    ]
    limit = np.quantile(own, 0.9)
    away = [min(np.linalg.norm(p - q) for q in points) for p in ready(new)]
    found = compared(learned, new)
    assert found.far == pytest.approx(np.mean(np.array(away) > limit), abs=1.01 / len(new))
    shifted = 0
    for number in range(NUMBERS):
        low, high = np.nanquantile(learned[:, number], (0.1, 0.9))
        shifted += not low <= np.nanmedian(new[:, number]) <= high
    assert found.shifted == pytest.approx(shifted / NUMBERS)


@pytest.mark.parametrize("count", [30, 60, 240])
def test_exchanged_stains_are_told_and_new_fields_of_the_kind_are_not(count):
    learned = cells(0)
    told = []
    for seed in range(1, 11):
        new = cells(seed, count)
        told.append([compared(learned, some).unlike for some in (new, exchanged(new))])
    assert [sum(each) for each in zip(*told, strict=True)] == [0, 10]


def test_what_fields_by_chance_show_is_no_reason():
    """Few fields may all be of one rare kind: what as many learned ones show is usual."""
    learned, few = cells(3), cells(4, 24)
    one = compared(learned, few)
    assert one.far_by_chance > compared(learned, cells(4, 300)).far_by_chance
    assert not one.unlike


def test_a_number_that_failed_in_one_cell_hides_nothing():
    learned = cells(7)
    learned[11, 3] = 1e30
    assert compared(learned, exchanged(cells(8, 60))).unlike
    assert not compared(learned, cells(8, 60)).unlike


def test_too_little_says_nothing():
    learned, new = cells(1), cells(2, 60)
    group = fields(learned)

    def said(learned, group, field, new):
        return likeness_of_cells(learned, group, field, new, fields(new))

    assert said(learned[:40], group[:40], group[:40], new) is None
    assert said(learned, group % 5, group, new) is None
    assert said(learned, group, group, new[:12]) is None
    assert said(np.ones_like(learned), group, group, new) is None
    assert said(learned[:0], group[:0], group[:0], new) is None
    assert said(learned, group, group, new[:0]) is None
    assert said(learned, group, group, new) is not None


def test_the_same_is_said_whenever_it_is_asked():
    assert compared(cells(0), cells(1, 60)) == compared(cells(0), cells(1, 60))
