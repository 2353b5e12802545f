"""A measurement that failed in one cell hides no others; else nothing changes, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.kernels.far.values import without_far
from cellwise.kernels.graphs.principal import principal


def moments(vectors):
    return np.nanmean(vectors.astype(np.float64), 0), np.nanstd(vectors.astype(np.float64), 0)


@given(
    seed=st.integers(0, 99),
    cells=st.integers(24, 200),
    far=st.sampled_from([1e5, 1e10, 1e20]),
    failed=st.integers(1, 2),
)
def test_far_cells_have_no_part_in_mean_and_deviation(seed, cells, far, failed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(cells, 3)).astype(np.float32)
    vectors[random.random(vectors.shape) < 0.1] = np.nan
    vectors[:failed, 1] = np.float32(far)
    vectors[failed : failed + 20, 1] = np.arange(20)
    mean, scale = moments(vectors)
    known = mean[[0, 2]].copy(), scale[[0, 2]].copy()
    assert without_far(vectors, np.arange(3), mean, scale).tolist() == [1]
    expected = moments(vectors[failed:])
    assert mean[1] == pytest.approx(expected[0][1], abs=1e-9)
    assert scale[1] == pytest.approx(expected[1][1])
    np.testing.assert_array_equal((mean[[0, 2]], scale[[0, 2]]), known)


@given(seed=st.integers(0, 99), share=st.sampled_from([0.01, 0.1, 0.5]))
def test_rare_counts_long_tails_and_two_crowds_stay_what_they_are(seed, share):
    random = np.random.default_rng(seed)
    rare = (random.random(300) < share) * random.integers(1, 40, 300)
    tail = np.exp(random.normal(size=300))
    crowds = random.normal(size=300) + 1e4 * (np.arange(300) < 150)
    vectors = np.stack([rare, tail, crowds], 1).astype(np.float32)
    mean, scale = moments(vectors)
    before = mean.copy(), scale.copy()
    assert not len(without_far(vectors, np.arange(3), mean, scale))
    np.testing.assert_array_equal((mean, scale), before)


@pytest.mark.parametrize("numbers", [3, 8])
def test_points_of_a_graph_keep_their_distances_beside_a_far_cell(numbers):
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    failed = vectors.copy()
    failed[0] *= np.float32(1e9)
    with_it = principal(failed, numbers, scale=True)
    without = principal(vectors[1:], 8, scale=True)
    apart = np.linalg.norm(with_it[1:, None] - with_it[None, 1:], axis=2)
    known = np.linalg.norm(without[:, None] - without[None], axis=2)
    # Eight numbers keep all of it; of three directions one goes to the far cell.
    assert np.corrcoef(apart.ravel(), known.ravel())[0, 1] > (0.99 if numbers == 8 else 0.5)


@given(
    seed=st.integers(0, 99),
    far=st.sampled_from([100.0, 300.0, 900.0, 1e6]),
    failed=st.integers(1, 4),
    share=st.sampled_from([0.4, 1.0]),
)
def test_cells_that_failed_as_a_whole_have_no_part_in_any_number(seed, far, failed, share):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(120, 20)).astype(np.float32)
    vectors[random.random(vectors.shape) < 0.1] = np.nan
    wrong = vectors.copy()
    wrong[:failed, : round(20 * share)] += np.float32(far)
    mean, scale = moments(wrong)
    assert len(without_far(wrong, np.arange(20), mean, scale)) == 20
    expected = moments(vectors[failed:])
    np.testing.assert_allclose(mean, expected[0], atol=1e-6)
    np.testing.assert_allclose(scale, expected[1], rtol=1e-6)


def test_a_crowd_of_cells_that_lie_elsewhere_stays_and_few_numbers_do_not_tell():
    vectors = np.random.default_rng(1).normal(size=(200, 20)).astype(np.float32)
    vectors[:30] += 100
    for columns in (np.arange(20), np.arange(8)):
        mean, scale = moments(vectors[:, columns])
        assert not len(without_far(vectors, columns, mean, scale))
    vectors[1:30] -= 100
    mean, scale = moments(vectors[:, :8])
    assert not len(without_far(vectors, np.arange(8), mean, scale))
