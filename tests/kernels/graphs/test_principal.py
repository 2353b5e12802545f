"""Principal components against the decomposition of the whole matrix."""

import numpy as np
import pytest

from cellwise.kernels.graphs.principal import principal


def _far(points):
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


@pytest.mark.parametrize("scale", [True, False])
def test_distances_of_vectors_that_few_numbers_describe_are_kept(scale):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 40)) * np.linspace(1, 9, 40) + 100
    found = principal(vectors.astype(np.float32), 5, scale=scale)
    whole = (vectors - vectors.mean(0)) / (vectors.std(0) if scale else 1)
    assert found.shape == (200, 5)
    assert np.allclose(_far(found), _far(whole), rtol=1e-3, atol=1e-2)


def test_missing_numbers_stand_at_the_mean_and_constant_ones_are_left_out():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(50, 3)).astype(np.float32)
    vectors[4, 1] = np.nan
    with_constant = np.c_[vectors, np.full(50, 7e6, np.float32)]
    found = principal(with_constant, 64, scale=True)
    assert found.shape == (50, 3)
    assert found[4, 1] == 0
    assert np.allclose(np.delete(found, 4, 0).mean(0), -found[4] / 49, atol=1e-5)


def test_vectors_that_are_all_the_same_are_refused():
    with pytest.raises(ValueError, match="same"):
        principal(np.full((9, 4), 0.3, np.float32), 2, scale=False)


def test_parts_of_vectors_count_alike_however_many_numbers_they_have():
    rng = np.random.default_rng(2)
    one, many = rng.normal(size=(80, 1)), np.repeat(rng.normal(size=(80, 1)), 30, axis=1)
    found = principal(np.c_[one, many].astype(np.float32), 40, scale=True, blocks=(1, 30))
    both = np.c_[one / one.std(), many[:, :1] / many.std()]
    assert np.allclose(_far(found), _far(both), rtol=1e-3, atol=1e-3)
