"""Six ways of several models against a loop over wells."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import rankdata

from cellwise.stages.assign._members import WAYS, combine


def members(seed, count=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(6, 5)).astype(np.float32) for _ in range(count)]


def slowly(every, way):
    kind, _, middle = way.rpartition("_")
    change = {"": lambda row: row, "rank": lambda row: rankdata(row) - 1, "softmax": softmax}[kind]
    over = np.median if middle == "median" else np.mean
    found = np.stack(
        [over([change(one[w]) for one in every], axis=0) for w in range(len(every[0]))]
    )
    return np.log(found) if kind == "softmax" else found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_way_equals_a_loop_over_wells(way, count):
    every = members(count, count)
    np.testing.assert_allclose(combine(every, way), slowly(every, way), atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_well_is_decided_by_the_members_that_have_it(way):
    every = members(8)
    every[0][2], every[1][2] = np.nan, np.nan
    for one in every:
        one[4] = np.nan
    found = combine(every, way)
    np.testing.assert_allclose(found[2], slowly(every[2:], way)[2], atol=1e-5)
    assert np.isnan(found[4]).all()
    rest = [0, 1, 3, 5]
    np.testing.assert_allclose(found[rest], slowly([e[rest] for e in every], way), atol=1e-5)


def test_a_median_does_not_follow_one_wild_member():
    every = [np.zeros((1, 3), np.float32) for _ in range(4)] + [np.array([[0, 900, 0]], np.float32)]
    assert combine(every, "median").max() == 0
    assert combine(every, "mean").argmax() == 1
