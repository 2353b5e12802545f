"""The learners beside kernel ridge, each against an independent computation of the same."""

import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from tests.parts.learners.made_cells import folds_of, make_cells

from cellwise.errors import BadOption, PreflightError
from cellwise.parts.learners import learners

NAMES = ("kernel_ridge", "logistic", "boosting", "perceptron")
QUICK = {"perceptron": {"epochs": 6, "batch": 16}, "boosting": {"trees": 10}}


def build(name, **options):
    if name == "boosting" and importlib.util.find_spec("lightgbm") is None:
        pytest.skip("lightgbm is not installed: pip install 'cellwise[boosting]'")
    return learners.build({"name": name, **QUICK.get(name, {}), **options})


def ones(count):
    return np.ones(count, np.float32)


def test_every_learner_is_tested_here():
    assert sorted(NAMES) == learners.names()


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 9), lacking=st.booleans())
@pytest.mark.parametrize("name", NAMES)
def test_fields_left_out_are_told_better_than_by_chance(name, seed, lacking):
    vectors, labels, groups = make_cells(160, numbers=10, seed=seed)
    if lacking:
        vectors[np.random.default_rng(seed).random(160) < 0.2, :4] = np.nan
    soft = (0.1 + 0.8 * labels).astype(np.float32)
    smoother = build(name).out_of_fold(vectors, folds_of(groups, 3), seed)
    found = smoother(soft)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert average_precision_score(labels, found) > labels.mean() + 0.2
    np.testing.assert_array_equal(smoother(soft), found)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in NAMES),
        ("kernel_ridge", {"exact": 0, "landmarks": 60}),
        ("kernel_ridge", {"metric": True, "members": 2}),
    ],
)
def test_what_is_read_from_a_file_says_the_same_bit_for_bit(name, options):
    vectors, labels, _ = make_cells(160, numbers=10)
    vectors[:40, :4] = np.nan
    learner = build(name, **options)
    fitted = learner.fit(vectors, labels, ones(160), 0)
    again = learner.restore(load(save(_in_order(fitted.arrays()))))
    for some in (vectors, vectors[:3]):
        np.testing.assert_array_equal(again.predict(some), fitted.predict(some))


def _in_order(arrays):
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_all_or_no_cells_show_is_said_so(name):
    vectors, labels, _ = make_cells(120, numbers=10)
    labels[:, 0], labels[:, 1] = 0, 1
    found = build(name).fit(vectors, labels, ones(120), 0).predict(vectors)
    assert found[:, 0].max() < 0.15
    assert found[:, 1].min() > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_what_no_number_tells_apart_is_refused(name):
    learner = build(name)
    vectors, labels, _ = make_cells(40, numbers=4)
    for alike in (np.full_like(vectors, 7), np.full_like(vectors, np.nan)):
        with pytest.raises(PreflightError, match="alike"):
            learner.fit(alike, labels, ones(40), 0)
    with pytest.raises(PreflightError, match="alike"):
        learner.fit(vectors[:1], labels[:1], ones(1), 0)
    with pytest.raises(PreflightError, match="weight"):
        learner.fit(vectors, labels, 0 * ones(40), 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_that_no_cell_has_is_left_out(name):
    vectors, labels, _ = make_cells(120, numbers=10)
    gone = vectors.copy()
    gone[:, 4] = np.nan
    learner = build(name)
    found = learner.fit(gone, labels, ones(120), 0).predict(vectors)
    assert np.isfinite(found).all()
    if name != "boosting":
        # What it says in other cells does not count; of trees, each draws among all numbers.
        np.testing.assert_array_equal(found, learner.fit(gone, labels, ones(120), 0).predict(gone))


def test_a_thousand_classes_are_learned():
    vectors, _, _ = make_cells(300)
    labels = np.eye(1108, dtype=np.float32)[np.arange(300) * 3]
    found = learners.build("kernel_ridge").fit(vectors, labels, ones(300), 0).predict(vectors)
    assert found.shape == (300, 1108)
    assert (found.argmax(1) == np.arange(300) * 3).mean() > 0.9


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_equals_scikit_learns_on_doubled_rows(weighted):
    vectors, labels, _ = make_cells(150, numbers=6)
    soft = (0.2 + 0.6 * labels).astype(np.float32)
    weights = ones(150)
    if weighted:
        weights = np.random.default_rng(0).uniform(0.5, 2, 150).astype(np.float32)
    found = learners.build({"name": "logistic", "penalty": 2.0}).fit(vectors, soft, weights, 0)
    ready = np.clip((vectors - vectors.mean(0)) / vectors.std(0), -5, 5)
    for number in range(3):
        oracle = LogisticRegression(C=1 / 2.0, tol=1e-8, max_iter=1000).fit(
            np.tile(ready, (2, 1)),
            np.repeat([1, 0], 150),
            sample_weight=np.concatenate(
                [weights * soft[:, number], weights * (1 - soft[:, number])]
            ),
        )
        expected = oracle.predict_proba(ready)[:, 1]
        np.testing.assert_allclose(found.predict(vectors)[:, number], expected, atol=1e-3)


def test_boosting_is_lightgbms_binary_model_where_labels_are_hard():
    lightgbm = pytest.importorskip("lightgbm")
    vectors, labels, _ = make_cells(200, numbers=6)
    found = build("boosting", trees=20).fit(vectors, labels, ones(200), 3).predict(vectors)
    oracle = lightgbm.LGBMClassifier(
        n_estimators=20, num_leaves=15, learning_rate=0.1, min_child_samples=10,
        colsample_bytree=0.3, seed=3, min_child_weight=1e-3, n_jobs=1, verbose=-1,
    )  # fmt: skip
    expected = oracle.fit(vectors, labels[:, 0]).predict_proba(vectors)[:, 1]
    assert np.corrcoef(found[:, 0], expected)[0, 1] > 0.98


def test_the_perceptron_leaves_chance_where_it_was():
    vectors, labels, _ = make_cells(60, numbers=5)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    build("perceptron").fit(vectors, labels, ones(60), 0)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    from cellwise.parts.learners import boosting

    with pytest.raises(BadOption, match=r"cellwise\[boosting\]"):
        boosting.build()


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "logistic", "penalty": 0.0},
        {"name": "perceptron", "drop": 1.0},
        {"name": "perceptron", "learning_rate": 0.0},
        {"name": "boosting", "leaves": 1},
    ],
)
def test_options_that_cannot_be_are_refused(bad):
    with pytest.raises(BadOption, match=bad["name"]):
        learners.build(bad)


@settings(max_examples=5, deadline=None)
@given(far=st.sampled_from([1e5, 1e8, 1e15]), numbers=st.integers(1, 10), cells=st.integers(1, 3))
@pytest.mark.parametrize("name", ["kernel_ridge", "logistic"])
def test_cells_whose_measurement_failed_hide_no_others(name, far, numbers, cells):
    vectors, labels, groups = make_cells(160, numbers=10, seed=0)
    failed = vectors.copy()
    failed[:cells, :numbers] *= np.float32(far)
    folds = folds_of(groups, 3)
    said = build(name).out_of_fold(failed, folds, 0)(labels)
    without = build(name).out_of_fold(vectors, folds, 0)(labels)
    assert np.corrcoef(said[cells:].ravel(), without[cells:].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("offset", [1e5, 1e6])
def test_two_crowds_far_from_each_other_are_learned_from_without_a_crash(offset):
    vectors, labels, groups = make_cells(160, numbers=10, seed=0)
    vectors[:20] += np.float32(offset) * np.abs(vectors).max(0)
    said = build("kernel_ridge").out_of_fold(vectors, folds_of(groups, 3), 0)(labels)
    assert ((said >= 0) & (said <= 1)).all()
