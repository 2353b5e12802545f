"""The hierarchical bootstrap against a loop that draws things one by one."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cellwise.lab.benchmark.resampling import Shape, as_is, gathered, resample
from cellwise.measures.average_precision import rank

SHAPES = [Shape(5, 2), Shape(7, 3), Shape(4, 1)]


def test_each_draw_takes_as_many_worlds_groups_and_seeds_as_there_are():
    places = resample(SHAPES, draws=400, seed=1)
    taken = np.concatenate([place.draw for place in places])
    assert (np.bincount(taken, minlength=400) == 3).all()
    for place, shape in zip(places, SHAPES, strict=True):
        assert (place.groups.sum(axis=1) == shape.groups).all()
        assert place.seeds.sum(axis=1) == pytest.approx(1)


def test_the_same_seed_draws_the_same():
    one, other = (resample(SHAPES, draws=50, seed=9) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.groups, b.groups)
        np.testing.assert_array_equal(a.draw, b.draw)


def test_shared_groups_are_drawn_once_for_all_worlds():
    places = resample([Shape(6, 1)] * 3, draws=200, seed=2, shared_groups=True)
    seen = {}
    for place in places:
        for draw, row in zip(place.draw, place.groups, strict=True):
            assert seen.setdefault(int(draw), tuple(row)) == tuple(row)


def test_own_groups_are_drawn_anew_for_a_world_taken_twice():
    (place,) = resample([Shape(30, 1)], draws=100, seed=3)
    assert len({tuple(row) for row in place.groups}) > 90


def test_the_value_itself_is_the_mean_of_the_worlds_means():
    values = [np.array([[1.0], [3.0]]), np.array([[4.0], [4.0], [7.0]]), np.array([[0.0]])]
    assert gathered(as_is(SHAPES), values, draws=1) == pytest.approx([(2 + 5 + 0) / 3])


@pytest.mark.slow
def test_it_agrees_with_a_loop_that_draws_one_thing_at_a_time():
    """Mean and spread of the average precision over many draws, by two programs."""
    random = np.random.default_rng(0)
    worlds = []
    for shape in SHAPES:
        group = np.repeat(np.arange(shape.groups), 6)
        truth = random.random(len(group)) < 0.5
        scores = truth + random.normal(0, 1.5, (shape.seeds, len(group)))
        worlds.append((group, truth, scores))
    draws = 3000
    places = resample(SHAPES, draws=draws, seed=4)
    values = [
        np.stack([rank(t, s, g, count=shape.groups).precision(p.groups) for s in scores])
        for (g, t, scores), p, shape in zip(worlds, places, SHAPES, strict=True)
    ]
    quick = gathered(places, values, draws=draws)
    slow = np.array([_one_draw(worlds, random) for _ in range(500)])
    assert np.nanmean(quick) == pytest.approx(np.nanmean(slow), abs=0.02)
    assert np.nanstd(quick) == pytest.approx(np.nanstd(slow), rel=0.15)


def _one_draw(worlds, random):
    total = []
    for pick in random.integers(0, len(worlds), len(worlds)):
        group, truth, scores = worlds[pick]
        count = group.max() + 1
        cells = np.concatenate(
            [np.flatnonzero(group == g) for g in random.integers(0, count, count)]
        )
        seeds = random.integers(0, len(scores), len(scores))
        if not truth[cells].any():
            return np.nan
        total.append(
            np.mean([average_precision_score(truth[cells], scores[s][cells]) for s in seeds])
        )
    return np.mean(total)
