"""What is taken out of vectors, against slow computations and planted batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.kernels.retrieval import retrieve
from cellwise.stages.profile._normalise import aligned, centred, spherized


def planted(seed, *, batches=4, treatments=8, numbers=6, controls=6):
    """Wells of each batch: every treatment once and controls; a batch shifts and stretches.

    Wells vary most in two directions that say nothing of the treatment.
    """
    noise = np.array([4.0, 2.0, *[0.3] * (numbers - 2)])
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(treatments, numbers))
    rows = []
    for batch in range(batches):
        shift = 4 * rng.normal(size=numbers)
        stretch = np.eye(numbers) + 0.4 * rng.normal(size=(numbers, numbers))
        for kind in [*range(treatments), *[-1] * controls]:
            base = effects[kind] if kind >= 0 else np.zeros(numbers)
            rows.append(((base + noise * rng.normal(size=numbers)) @ stretch + shift, kind, batch))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def precision(vectors, kind, batch):
    return np.nanmean(retrieve(vectors, kind, batch, np.full(len(kind), -1)).precision)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_centred_by_a_loop_over_groups(seed):
    vectors, kind, batch = planted(seed)
    found = centred(vectors, batch, kind < 0)
    for number in range(4):
        mean = vectors[(batch == number) & (kind < 0)].mean(axis=0)
        np.testing.assert_allclose(found[batch == number], vectors[batch == number] - mean)


def test_a_group_in_which_none_counts_is_left_alone():
    vectors, kind, batch = planted(1)
    counted = (kind < 0) & (batch != 2)
    found = centred(vectors, batch, counted)
    np.testing.assert_array_equal(found[batch == 2], vectors[batch == 2])


def test_spherized_controls_have_unit_variance_in_every_direction():
    vectors, kind, batch = planted(2, controls=40)
    controls = kind < 0
    found = spherized(centred(vectors, batch, controls), controls, regularise=1e-9)
    np.testing.assert_allclose(np.cov(found[controls].T), np.eye(6), atol=1e-6)


def test_each_batch_is_brought_to_the_common_covariance():
    vectors, kind, batch = planted(3, controls=60)
    controls = kind < 0
    found = aligned(centred(vectors, batch, controls), batch, controls, regularise=1e-9)
    for number in range(4):
        own = found[controls & (batch == number)]
        np.testing.assert_allclose(np.cov(own.T), np.eye(6), atol=1e-6)


def test_more_numbers_than_controls_and_none_that_vary():
    rng = np.random.default_rng(0)
    vectors, controls = rng.normal(size=(30, 100)), np.arange(30) < 8
    found = spherized(vectors - vectors[controls].mean(0), controls, regularise=0.01)
    assert np.isfinite(found).all()
    assert abs(found[~controls]).max() > abs(found[controls]).max()
    same = np.ones((5, 3))
    np.testing.assert_array_equal(spherized(same, np.ones(5, bool), regularise=0.1), same)


@pytest.mark.parametrize("seed", range(3))
def test_taking_the_batch_out_brings_replicates_together(seed):
    vectors, kind, batch = planted(seed, controls=30)
    controls = kind < 0
    plain = centred(vectors, batch, controls)
    whole = aligned(plain, batch, controls, regularise=0.01)
    found = [precision(one, kind, batch) for one in (vectors, plain, whole)]
    assert found[0] < found[1] < found[2] - 0.03, found
