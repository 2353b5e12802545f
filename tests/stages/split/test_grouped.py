"""The splitter: whole groups, even classes, the same for rows in any order."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.splitter import SplitInput
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.split import splitters
from cellwise.stages.split._balance import imbalance, spread_groups
from cellwise.stages.split._groups import connect
from cellwise.stages.split.grouped import build


def _input(groups, labels, labelled=None, *, folds=2, seed=0, ids=None):
    labels = np.array(labels, dtype=bool)
    known = labels.any(axis=1) if labelled is None else np.array(labelled, dtype=bool)
    names = tuple(ids or [f"s{i:03d}" for i in range(len(labels))])
    return SplitInput(names, np.array(groups, np.int64), labels, known, folds, seed)


def _slow_cost(counts, sizes, fold, folds):
    """The cost as the module's text says it, with loops."""
    total, columns = 0.0, [*np.asarray(counts).T, np.asarray(sizes)]
    columns = [column for column in columns if column.sum()]
    for column in columns:
        for k in range(folds):
            share = sum(c for c, f in zip(column, fold, strict=True) if f == k) / column.sum()
            total += (share - 1 / folds) ** 2 + (len(columns) + 1) * (share == 0)
    return total


@st.composite
def problems(draw):
    n_groups = draw(st.integers(3, 12))
    n_sites = draw(st.integers(n_groups, 40))
    n_classes = draw(st.integers(1, 5))
    folds = draw(st.integers(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, n_sites - n_groups)])
    labels = rng.random((n_sites, n_classes)) < rng.uniform(0.1, 0.6, n_classes)
    labels[np.arange(n_sites), rng.integers(0, n_classes, n_sites)] = True
    labelled = rng.random(n_sites) < 0.8
    labelled[:n_groups] = True
    return _input(
        groups, labels & labelled[:, None], labelled, folds=folds, seed=draw(st.integers(0, 5))
    )


def test_two_plates_with_both_classes_go_one_to_each_fold():
    fold = build()(_input([0, 0, 1, 1], [[1, 0], [0, 1], [1, 0], [0, 1]]))
    assert fold[0] == fold[1] != fold[2] == fold[3]


def test_rare_class_is_shared_out_before_the_common_one():
    # Groups 0 and 1 hold the rare class; only apart can it be learned and tested.
    labels = [[1, 1], [1, 1], [1, 0], [1, 0], [1, 0], [1, 0]]
    fold = build()(_input(range(6), labels))
    assert fold[0] != fold[1]
    assert np.bincount(fold).tolist() == [3, 3]


def test_unlabelled_sites_take_the_fold_of_their_group_and_strangers_none():
    labels = [[1], [0], [1], [0], [0]]
    fold = build()(_input([0, 0, 1, 1, 2], labels, [True, False, True, False, False]))
    assert fold[1] == fold[0]
    assert fold[3] == fold[2] != fold[0]
    assert fold[4] == -1


def test_the_part_is_found_by_its_name():
    assert "grouped" in splitters.names()
    assert callable(splitters.build({"name": "grouped", "restarts": 1}))


def test_fewer_groups_than_folds_is_refused_with_advice():
    with pytest.raises(PreflightError, match=r"at least 2 groups.*split\.by"):
        build()(_input([0, 0], [[1], [1]]))
    with pytest.raises(BadOption):
        build(restarts=0)


@given(problems())
@settings(max_examples=60, deadline=None)
def test_groups_never_straddle_and_every_labelled_site_has_a_fold(problem):
    fold = build(restarts=2)(problem)
    assert (fold[problem.labelled] >= 0).all()
    assert set(fold[problem.labelled]) == set(range(problem.folds))
    for group in np.unique(problem.groups):
        assert len(set(fold[problem.groups == group])) == 1


@given(problems(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_changes_nothing(problem, random):
    order = list(range(len(problem.site_ids)))
    random.shuffle(order)
    mixed = SplitInput(
        tuple(problem.site_ids[i] for i in order),
        problem.groups[order] * 7 + 3,
        problem.labels[order],
        problem.labelled[order],
        problem.folds,
        problem.seed,
    )
    assert build()(mixed).tolist() == build()(problem)[order].tolist()


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_balance_is_no_worse_than_random_grouping_and_near_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, (8, 3))
    sizes = np.maximum(counts.max(axis=1), 1)
    found = spread_groups(counts, sizes, folds=2, seed=0, restarts=4, rounds=100)
    price = imbalance(counts, sizes, found, folds=2)
    assert price == pytest.approx(_slow_cost(counts, sizes, found, 2))
    every = [
        imbalance(counts, sizes, np.array(fold), folds=2)
        for fold in itertools.product(range(2), repeat=8)
    ]
    assert price <= np.quantile(every, 0.1) + 1e-12
    assert price <= min(every) + 0.1


def test_a_large_data_set_is_split_quickly_and_evenly():
    rng = np.random.default_rng(1)
    counts = (rng.random((3000, 19)) < np.geomspace(0.4, 0.003, 19)).astype(np.int64)
    sizes = np.ones(3000, np.int64)
    fold = spread_groups(counts, sizes, folds=5, seed=0, restarts=1, rounds=20)
    held = np.stack([counts[fold == k].sum(axis=0) for k in range(5)])
    assert (np.ptp(held, axis=0) <= 2).all()


def test_components_run_over_all_keys_and_missing_values_tie_nobody():
    plate = ["p1", "p1", "p2", None, None]
    copy = ["a", "b", "c", "c", "d"]
    assert connect([plate, copy], count=5).tolist() == [0, 0, 1, 1, 2]
    assert connect([], count=3).tolist() == [0, 1, 2]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from("uvwxyz")), max_size=12
    )
)
def test_components_equal_a_slow_flood(pairs):
    keys = [[p[0] for p in pairs], [p[1] for p in pairs]]
    number = list(range(len(pairs)))
    for _ in pairs:
        for i, j in itertools.combinations(range(len(pairs)), 2):
            if any(k[i] is not None and k[i] == k[j] for k in keys):
                number[i] = number[j] = min(number[i], number[j])
    found = connect(keys, count=len(pairs))
    assert [found[i] == found[j] for i in range(len(pairs)) for j in range(i)] == [
        number[i] == number[j] for i in range(len(pairs)) for j in range(i)
    ]
