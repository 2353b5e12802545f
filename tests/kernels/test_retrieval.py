"""Replicate retrieval against a slow computation, scikit-learn, copairs, and its properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cellwise.kernels.retrieval import retrieve


def screen(seed: int, *, plates: int = 6, treatments: int = 7, positions: int = 9):
    """Some wells of some plates: treatment, plate, position, and vectors that tell a little."""
    rng = np.random.default_rng(seed)
    plate = np.repeat(np.arange(plates), positions)
    position = np.tile(np.arange(positions), plates)
    treatment = rng.integers(-1, treatments, len(plate))
    centres = rng.normal(size=(treatments + 1, 5))
    vectors = centres[treatment] + rng.normal(size=(len(plate), 5))
    return vectors, treatment, plate, position


def slowly(vectors, treatment, plate, position, within=None):
    near = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = near @ near.T
    found = np.full(len(plate), np.nan)
    for i in range(len(plate)):
        asked = (plate != plate[i]) & (position != position[i])
        if within is not None:
            asked &= within == within[i]
        truth = treatment[asked] == treatment[i]
        if treatment[i] >= 0 and truth.any():
            found[i] = average_precision_score(truth, near[i][asked])
    return found


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_scikit_learn_well_by_well(seed):
    wells = screen(seed)
    np.testing.assert_allclose(retrieve(*wells).precision, slowly(*wells), atol=1e-6)


def test_only_wells_of_the_same_block_are_asked():
    vectors, treatment, plate, position = screen(9)
    found = retrieve(vectors, treatment, plate, position, plate % 2).precision
    known = slowly(vectors, treatment, plate, position, plate % 2)
    np.testing.assert_allclose(found, known, atol=1e-6)


def test_equal_similarities_are_taken_together():
    vectors = np.repeat(np.eye(2), 4, axis=0)
    treatment = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    wells = vectors, treatment, np.arange(8), np.arange(8)
    np.testing.assert_allclose(retrieve(*wells).precision, slowly(*wells), atol=1e-12)


def test_own_plate_and_own_position_say_nothing():
    vectors = np.ones((4, 3))
    treatment = np.zeros(4, np.int64)
    found = retrieve(vectors, treatment, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert found.replicates.tolist() == [1, 1, 1, 1]
    alone = retrieve(vectors, treatment, np.zeros(4, np.int64), np.arange(4))
    assert np.isnan(alone.precision).all()
    assert np.isnan(alone.chance).all()


def test_an_unknown_position_excludes_nothing_but_the_plate():
    found = retrieve(np.ones((3, 2)), np.zeros(3, np.int64), np.arange(3), np.full(3, -1))
    assert found.replicates.tolist() == [2, 2, 2]


def test_chance_is_the_mean_over_random_vectors():
    _, treatment, plate, position = screen(2, plates=8)
    rng = np.random.default_rng(0)
    runs = [
        retrieve(rng.normal(size=(len(plate), 40)), treatment, plate, position) for _ in range(60)
    ]
    kinds, mean, chance = runs[0].mean(treatment)
    means = np.stack([run.mean(treatment)[1] for run in runs])
    assert kinds.tolist() == sorted(set(treatment.tolist()) - {-1})
    assert len(mean) == len(chance) == len(kinds)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (abs(means.mean(axis=0) - chance) < 5 * error).all()


@given(st.integers(0, 10_000), st.floats(0.1, 50))
@settings(max_examples=15, deadline=None)
def test_order_and_length_of_vectors_do_not_matter(seed, scale):
    vectors, treatment, plate, position = screen(seed, plates=4)
    order = np.random.default_rng(seed).permutation(len(plate))
    one = retrieve(vectors, treatment, plate, position)
    two = retrieve(vectors[order] * scale, treatment[order], plate[order], position[order])
    np.testing.assert_allclose(two.precision, one.precision[order], atol=1e-6)
    np.testing.assert_array_equal(two.replicates, one.replicates[order])


def test_it_agrees_with_copairs():
    copairs = pytest.importorskip("copairs.map", reason="copairs is an extra: pip install copairs")
    import pandas as pd

    vectors, treatment, plate, position = screen(5)
    kept = treatment >= 0
    vectors, treatment, plate, position = (v[kept] for v in (vectors, treatment, plate, position))
    meta = pd.DataFrame({"treatment": treatment, "plate": plate, "position": position})
    theirs = copairs.average_precision(
        meta,
        vectors.astype(np.float32),
        pos_sameby=["treatment"],
        pos_diffby=["plate", "position"],
        neg_sameby=[],
        neg_diffby=["treatment", "plate", "position"],
    )["average_precision"].to_numpy()
    np.testing.assert_allclose(
        retrieve(vectors, treatment, plate, position).precision, theirs, atol=1e-5
    )
