"""Groups of plates and one-to-one answers, on planted designs and against all permutations."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.assign.plate_world import make_world

from cellwise.stages.assign._plates import (
    Rules,
    decide_wells,
    groups_by_majority,
    groups_by_order,
    votes,
)
from cellwise.stages.assign._support import order_is_supported


def decided(world, rules=Rules(), **given):  # noqa: B008 - frozen
    return decide_wells(
        world.logits, world.plate, world.experiment, world.group_of_class, rules, **given
    )


def share(answer, world):
    return (answer == world.truth).mean()


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_the_order_of_groups_is_the_best_of_all_permutations(seed, plates, groups):
    if plates > groups:
        plates = groups
    count = np.random.default_rng(seed).integers(1, 30, (plates, groups))
    share = count / count.sum(axis=0)
    best = max(permutations(range(groups), plates), key=lambda p: share[range(plates), p].sum())
    found = groups_by_order(count, np.zeros(plates, np.int64))
    assert share[range(plates), found].sum() == pytest.approx(share[range(plates), best].sum())
    assert len(set(found.tolist())) == plates


def test_a_group_that_is_preferred_everywhere_takes_one_plate_only():
    count = np.array([[30, 20, 1, 1], [30, 1, 20, 1], [30, 1, 1, 20], [40, 5, 5, 5]])
    assert groups_by_majority(count).tolist() == [0, 0, 0, 0]
    assert groups_by_order(count, np.zeros(4, np.int64)).tolist() == [1, 2, 3, 0]


def test_equal_votes_and_no_votes_give_no_group():
    count = np.array([[3, 3], [0, 0], [4, 1]])
    assert groups_by_majority(count).tolist() == [-1, -1, 0]
    # One plate of an experiment is decided by itself.
    assert groups_by_order(count, np.arange(3)).tolist() == [-1, -1, 0]


def test_votes_count_free_answers_of_classes_with_a_group():
    of_class = np.array([0, 0, 1, -1])
    found = votes(np.array([0, 1, 2, 3, -1]), np.array([0, 0, 0, 0, 1]), of_class)
    assert found.tolist() == [[2, 1], [0, 0]]


@pytest.mark.parametrize(("rule", "right"), [("order", 0.9), ("majority", 0.6)])
def test_design_adds_to_free_answers_and_says_how_much(rule, right):
    world = make_world(1, experiments=6, signal=3.0)
    found = decided(world, Rules(group=rule))
    assert (found.group == world.group[world.plate]).mean() > right
    free, grouped, assigned = (share(a, world) for a in (found.free, found.grouped, found.assigned))
    assert free + 0.05 < grouped
    assert grouped + 0.05 < assigned


@given(st.integers(0, 10_000), st.sampled_from(["optimal", "greedy"]))
@settings(max_examples=20, deadline=None)
def test_each_class_once_on_a_plate_and_inside_its_group(seed, how):
    world = make_world(seed, missing=0.2, signal=1.0)
    found = decided(world, Rules(one_to_one=how))
    for plate in np.unique(world.plate):
        here = world.plate == plate
        given = found.assigned[here]
        assert len(set(given.tolist())) == here.sum()
        group = found.group[here][0]
        if group >= 0:
            assert (world.group_of_class[given] == group).all()
            assert (world.group_of_class[found.grouped[here]] == group).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_wells_does_not_matter(seed):
    world = make_world(seed)
    order = np.random.default_rng(seed).permutation(len(world.truth))
    rules = Rules(sum_of="probabilities", balance=20, temperature=0.7)
    one = decided(world, rules)
    two = decide_wells(
        world.logits[order], world.plate[order], world.experiment, world.group_of_class, rules
    )
    np.testing.assert_array_equal(one.assigned[order], two.assigned)
    np.testing.assert_array_equal(one.free[order], two.free)
    np.testing.assert_allclose(one.confidence[order], two.confidence, atol=1e-9)


def test_balancing_helps_where_an_experiment_prefers_some_classes():
    world = make_world(3, experiments=8, signal=3.0, shift=2.5)
    plain, even = decided(world), decided(world, Rules(balance=50, sum_of="probabilities"))
    assert share(plain.free, world) + 0.1 < share(even.assigned, world)


def test_without_groups_a_plate_is_assigned_among_all_classes():
    world = make_world(4, signal=3.0)
    none = np.full_like(world.group_of_class, -1)
    found = decide_wells(world.logits, world.plate, world.experiment, none, Rules())
    assert (found.group == -1).all()
    assert np.isnan(found.support).all()
    np.testing.assert_array_equal(found.free, found.grouped)
    assert share(found.assigned, world) >= share(found.free, world)


def test_nothing_is_assigned_where_plates_hold_a_treatment_twice():
    found = decided(make_world(5), once=False)
    assert (found.assigned == -1).all()
    assert found.confidence.min() > 0


def test_wells_that_allow_nothing_get_no_answer():
    world = make_world(6)
    logits = world.logits.copy()
    logits[0] = -np.inf
    found = decide_wells(logits, world.plate, world.experiment, world.group_of_class, Rules())
    assert found.free[0] == found.grouped[0] == found.assigned[0] == -1
    assert found.confidence[0] == 0
    assert (found.free[1:] >= 0).all()


def test_no_wells_no_answers():
    world = make_world(7)
    nothing = np.zeros(0, np.int64)
    found = decide_wells(world.logits[:0], nothing, nothing, world.group_of_class, Rules())
    assert len(found.free) == len(found.support) == 0


def test_votes_dealt_out_by_chance_seldom_give_groups():
    """Of 40 experiments whose answers say nothing of plates three in ten or so are taken for it."""
    given = 0
    for seed in range(40):
        world = make_world(seed, experiments=1, signal=0.0, size=8)
        found = decided(world)
        given += (found.group >= 0).any()
        none = found.group < 0
        np.testing.assert_array_equal(found.grouped[none], found.free[none])
        assert np.isnan(found.support[none]).all()
    assert 0 < given <= 20


@pytest.mark.parametrize("rule", ["order", "majority"])
def test_a_plate_of_other_treatments_is_given_no_group(rule):
    """Its wells look like treatments of all groups alike; the other three keep their own."""
    right = 0
    for seed in range(5):
        world = make_world(seed, experiments=4, signal=5.0, size=24, shift=0.5)
        random = np.random.default_rng(seed)
        strange = world.plate % 4 == 0
        logits = world.logits.copy()
        logits[strange] = random.normal(size=logits[strange].shape)
        found = decide_wells(
            logits, world.plate, world.experiment, world.group_of_class, Rules(group=rule)
        )
        assert (found.group[strange] < 0).mean() > 0.7
        np.testing.assert_array_equal(found.grouped[found.group < 0], found.free[found.group < 0])
        kept = found.group[~strange] == world.group[world.plate[~strange]]
        right += kept.mean()
    assert right / 5 > 0.95


def test_one_vote_on_each_plate_is_no_support():
    """Any votes of which no two agree fit some order without a fault."""
    count = np.eye(4, dtype=np.int64)
    assert not order_is_supported(count)
    assert order_is_supported(5 * count)


def test_a_screen_of_which_it_is_known_keeps_its_groups_whatever_the_votes():
    """As many votes as by chance: each plate has the group of the best order all the same."""
    for seed in range(5):
        world = make_world(seed, experiments=2, signal=0.0, size=8)
        found = decided(world, Rules(always_grouped=True))
        count = votes(found.free, world.plate, world.group_of_class)
        order = groups_by_order(count, world.experiment)
        np.testing.assert_array_equal(found.group, order[world.plate])
        assert (world.group_of_class[found.grouped] == found.group).all()
