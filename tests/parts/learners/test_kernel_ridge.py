"""Kernel ridge against scikit-learn's, its smoother against models fitted one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import average_precision_score
from tests.parts.learners.made_cells import folds_of, make_cells

from cellwise.errors import BadOption, PreflightError
from cellwise.parts.learners import learners
from cellwise.parts.learners._columns import class_shares, views_of
from cellwise.parts.learners._range import into_range


def test_it_equals_scikit_learns_kernel_ridge():
    vectors, labels, _ = make_cells(120)
    new = make_cells(40, seed=1)[0]
    weights = np.random.default_rng(0).uniform(0.2, 2, 120).astype(np.float32)
    found = learners.build({"name": "kernel_ridge", "ridge": 0.3, "gamma": 0.8}).fit(
        vectors, labels, weights, 0
    )
    ready, other = (
        np.clip((some - vectors.mean(0)) / vectors.std(0), -5, 5) for some in (vectors, new)
    )
    squares = np.square(ready[:, None] - ready[None]).sum(2)
    rate = 0.8 / np.median(squares[np.triu_indices(120, 1)])
    mean = np.average(labels, axis=0, weights=weights)
    oracle = KernelRidge(alpha=0.3, kernel="rbf", gamma=rate)
    expected = oracle.fit(ready, labels - mean, sample_weight=weights).predict(other) + mean
    np.testing.assert_allclose(found.predict(new), into_range(expected), atol=2e-4)


def slowly(vectors, labels, weights, folds):
    """Model by model, with the smoother's own way of making cells ready."""
    views = views_of(vectors)
    result = np.zeros(labels.shape)
    for (view, learned), (_, asked) in zip(
        views.taught(vectors), views.parts(vectors), strict=True
    ):
        ready = view.of(vectors).astype(float)
        squares = np.square(ready[:, None] - ready[None]).sum(2)
        inside = squares[np.ix_(learned, learned)]
        square = np.exp(-0.5 * squares / np.median(inside[np.triu_indices(len(inside), 1)]))
        for partition in folds:
            for fold in set(partition.tolist()):
                taught = learned & (partition != fold) & (partition >= 0) & (weights > 0)
                rows = asked & (partition == fold)
                mean = np.average(labels[taught], axis=0, weights=weights[taught])
                inner = square[np.ix_(taught, taught)] + np.diag(0.2 / weights[taught])
                share = np.linalg.solve(inner, labels[taught] - mean)
                result[rows] += square[np.ix_(rows, taught)] @ share + mean
    return into_range((result / len(folds)).astype(np.float32))


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 99),
    weighted=st.booleans(),
    exact=st.booleans(),
    lacking=st.booleans(),
    set_aside=st.booleans(),
)
def test_the_smoother_is_models_that_left_each_fold_out(seed, weighted, exact, lacking, set_aside):
    vectors, labels, groups = make_cells(150, seed=seed, numbers=12)
    random = np.random.default_rng(seed)
    folds = folds_of(groups, partitions=2)
    if lacking:
        vectors[random.random(150) < 0.3, :5] = np.nan
    if set_aside:
        folds[:, groups == 0] = -1
    weights = random.choice([0, 0.5, 1], 150).astype(np.float32) if weighted else None
    # With all cells as landmarks nothing is left out.
    learner = learners.build(
        {"name": "kernel_ridge", "exact": 5000 if exact else 0, "landmarks": 150}
    )
    found = learner.out_of_fold(vectors, folds, 0)(labels, weights)
    counted = np.ones(150) if weights is None else weights.astype(float)
    expected = slowly(vectors, labels, counted, folds)
    np.testing.assert_allclose(found, expected, atol=1e-4 if exact else 1e-2)


def test_a_cells_own_fold_says_nothing_of_it():
    vectors, labels, groups = make_cells(150, numbers=12)
    folds = folds_of(groups)
    for exact in (5000, 0):
        smoother = learners.build(
            {"name": "kernel_ridge", "exact": exact, "landmarks": 60}
        ).out_of_fold(vectors, folds, 0)
        before = smoother(labels)
        own = folds[0] == 2
        changed = labels.copy()
        changed[own] = 1 - changed[own]
        after = smoother(changed)
        np.testing.assert_array_equal(before[own], after[own])
        assert np.abs(before[~own] - after[~own]).max() > 0.05


def test_a_fold_whose_cells_no_other_is_like_gets_the_mean():
    vectors, labels, groups = make_cells(100, numbers=12)
    folds = folds_of(groups)
    # All cells that have these numbers lie in one fold.
    vectors[folds[0] != 1, :5] = np.nan
    found = learners.build("kernel_ridge").out_of_fold(vectors, folds, 0)(labels)
    mean = labels[folds[0] != 1].mean(0)
    np.testing.assert_allclose(
        found[folds[0] == 1], np.broadcast_to(mean, found[folds[0] == 1].shape), atol=1e-5
    )


def test_landmarks_are_nearly_as_good_as_all_cells():
    vectors, labels, _ = make_cells(1500, apart=0.5)
    new, truth, _ = make_cells(600, apart=0.5, seed=1)
    ones = np.ones(1500, np.float32)
    scores = [
        average_precision_score(
            truth,
            learners.build({"name": "kernel_ridge", "exact": exact, "landmarks": 400})
            .fit(vectors, labels, ones, 0)
            .predict(new),
        )
        for exact in (5000, 0)
    ]
    assert scores[0] > 0.6
    assert scores[1] == pytest.approx(scores[0], abs=0.01)


def test_cells_that_lack_numbers_are_judged_by_what_they_have():
    vectors, labels, _ = make_cells(400, apart=1.0)
    new, truth, _ = make_cells(400, apart=1.0, seed=1)
    ones = np.ones(400, np.float32)
    rows = np.random.default_rng(0).random(400) < 0.3
    filled, filled_new = vectors.copy(), new.copy()
    for some in (filled, filled_new):
        some[np.ix_(rows, np.arange(16))] = vectors[:, :16].mean(0)
        for other in (vectors, new):
            other[np.ix_(rows, np.arange(16))] = np.nan
    learner = learners.build("kernel_ridge")
    own = learner.fit(vectors, labels, ones, 0).predict(new)
    made_up = learner.fit(filled, labels, ones, 0).predict(filled_new)
    better = average_precision_score(truth[rows], own[rows])
    assert better > average_precision_score(truth[rows], made_up[rows]) + 0.01


def test_members_see_parts_of_the_numbers_and_are_restored():
    vectors, labels, groups = make_cells(150)
    learner = learners.build({"name": "kernel_ridge", "members": 3, "metric": True})
    fitted = learner.fit(vectors, labels, np.ones(150, np.float32), 3)
    arrays = fitted.arrays()
    assert [len(arrays[f"0.{n}.columns"]) for n in range(3)] == [14, 14, 14]
    assert len({float(arrays[f"0.{n}.rate"][0]) for n in range(3)}) == 3
    again = learner.restore(arrays)
    np.testing.assert_array_equal(again.predict(vectors), fitted.predict(vectors))
    found = learner.out_of_fold(vectors, folds_of(groups), 0)(labels)
    assert average_precision_score(labels, found) > 0.9


def test_numbers_that_tell_classes_apart_weigh_more():
    vectors, labels, _ = make_cells(500, numbers=8, apart=0)
    vectors[:, 2] += 4e-2 * labels[:, 0] * vectors[:, 2].std()
    ready = views_of(vectors).full.of(vectors)
    ready[:, 2] += 2 * labels[:, 0]
    shares = class_shares(ready, labels, np.ones(500, np.float32))
    assert shares.argmax() == 2
    assert np.square(shares).mean() == pytest.approx(1, rel=1e-4)
    equal = class_shares(np.zeros((9, 4), np.float32), labels[:9], np.ones(9, np.float32))
    np.testing.assert_array_equal(equal, 1)


@given(st.lists(st.floats(-5, 6), min_size=2, max_size=40))
def test_answers_keep_their_order_within_the_range(numbers):
    answers = np.sort(np.array(numbers, np.float32))
    found = into_range(answers)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (np.diff(found) >= 0).all()
    middle = (answers > 0.02) & (answers < 0.98)
    np.testing.assert_allclose(found[middle], answers[middle], atol=1e-6)


def test_what_cannot_be_learned_is_refused():
    vectors, labels, groups = make_cells(30)
    learner = learners.build("kernel_ridge")
    ones = np.ones(30, np.float32)
    with pytest.raises(PreflightError, match="alike"):
        learner.fit(np.ones((30, 4), np.float32), labels, ones, 0)
    with pytest.raises(PreflightError, match="alike"):
        learner.fit(vectors[:1], labels[:1], ones[:1], 0)
    with pytest.raises(PreflightError, match="No cell has a weight"):
        learner.fit(vectors, labels, 0 * ones, 0)
    with pytest.raises(PreflightError, match="two groups"):
        learner.out_of_fold(vectors, np.zeros((1, 30), np.int64), 0)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        learner.fit(vectors, labels + 0.5, ones, 0)
    for bad in ({"ridge": 0}, {"gamma": -1}, {"members": 0}):
        with pytest.raises(BadOption):
            learners.build({"name": "kernel_ridge", **bad})
    only = np.where(folds_of(groups)[0] == 1, ones, 0)
    with pytest.raises(PreflightError, match="Without fold 1"):
        learner.out_of_fold(vectors, folds_of(groups), 0)(labels, only)


def test_landmarks_too_give_the_mean_where_no_cell_of_a_view_is_left():
    vectors, labels, groups = make_cells(100, numbers=12)
    folds = folds_of(groups)
    # All cells that have these numbers lie in one fold.
    vectors[folds[0] != 1, :5] = np.nan
    weights = np.random.default_rng(0).choice([0, 1, 2], 100).astype(np.float32)
    found = learners.build({"name": "kernel_ridge", "exact": 0}).out_of_fold(vectors, folds, 0)
    alone = folds[0] == 1
    mean = np.average(labels[~alone], axis=0, weights=weights[~alone])
    answer = found(labels, weights)
    np.testing.assert_allclose(answer[alone], np.broadcast_to(mean, answer[alone].shape), atol=1e-5)
    assert np.abs(answer[~alone] - mean).max() > 0.1
    with pytest.raises(PreflightError, match="Without fold 1 no cell has a weight"):
        found(labels, np.where(alone, 1, 0).astype(np.float32))


def test_each_of_several_embeddings_counts_as_much_as_any_other():
    """A block of many copies of one number weighs no more than that number alone."""
    vectors, labels, _ = make_cells(200, numbers=6)
    many = np.concatenate([vectors[:, :3], np.repeat(vectors[:, 3:], 40, axis=1)], axis=1)
    ones = np.ones(200, np.float32)
    few = learners.build({"name": "kernel_ridge", "blocks": [3, 3]}).fit(vectors, labels, ones, 0)
    blocks = learners.build({"name": "kernel_ridge", "blocks": [3, 120]})
    joined = blocks.fit(many, labels, ones, 0)
    np.testing.assert_allclose(joined.predict(many), few.predict(vectors), atol=1e-4)
    drowned = learners.build("kernel_ridge").fit(many, labels, ones, 0)
    assert np.abs(drowned.predict(many) - few.predict(vectors)).max() > 0.02
    again = blocks.restore(joined.arrays())
    np.testing.assert_array_equal(again.predict(many), joined.predict(many))


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_blocks_weigh_the_same_whatever_their_lengths(sizes, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(30, sum(sizes))).astype(np.float32)
    # A number that is the same in all cells is no number of its block.
    vectors[:, 0] = 1
    view = views_of(vectors, sizes).full
    of = np.repeat(np.arange(len(sizes)), sizes)[view.columns]
    squares = np.bincount(of, np.square(view.weight), minlength=len(sizes))
    there = np.bincount(of, minlength=len(sizes)) > 0
    np.testing.assert_allclose(squares[there], len(view.columns) / there.sum(), rtol=1e-5)
    np.testing.assert_allclose(
        view.of(vectors), views_of(vectors).full.of(vectors) * view.weight, rtol=1e-5
    )


def test_blocks_that_are_not_the_numbers_are_refused():
    vectors, labels, _ = make_cells(30, numbers=6)
    with pytest.raises(ValueError, match="are not the 6 numbers"):
        learners.build({"name": "kernel_ridge", "blocks": [3, 4]}).fit(
            vectors, labels, np.ones(30, np.float32), 0
        )
    with pytest.raises(BadOption, match="at least one number"):
        learners.build({"name": "kernel_ridge", "blocks": [0, 6]})
