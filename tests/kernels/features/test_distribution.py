"""Moments and quantiles of parts: those of numpy and scipy, whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cellwise.kernels.features.distribution import average, describe

SHARES = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.99, 1.0])


def drawn(seed, kind, count):
    rng = np.random.default_rng(seed)
    if kind == "heavy":
        # Nearly all in one bin.
        return np.where(rng.random(count) < 0.02, rng.gamma(1, 1e4, count), rng.random(count))
    return {"normal": rng.normal(3, 1, count), "whole": rng.integers(0, 4, count)}[kind]


@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["normal", "whole", "heavy"]),
    count=st.sampled_from([1, 2, 47, 48, 49, 300, 799]) | st.integers(1, 700),
    share=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_parts_are_described_as_numpy_and_scipy_do(seed, kind, count, share):
    image = drawn(seed, kind, 800).astype(np.float32).reshape(20, 40)
    at = np.random.default_rng(seed).permutation(800)[:count].astype(np.int32)
    first = int(share * count)
    found = describe(image, at, first, SHARES)
    for row, chosen in enumerate((at, at[:first], at[first:])):
        if not len(chosen):
            assert np.isnan(found[row]).all()
            continue
        some = image.ravel()[chosen].astype(np.float64)
        np.testing.assert_allclose(found[row, 0], some.mean(), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found[row, 1], some.std(), rtol=1e-5, atol=1e-6)
        if some.std() > 1e-3:
            np.testing.assert_allclose(found[row, 2], stats.skew(some), rtol=1e-3, atol=1e-4)
            kurtosis = stats.kurtosis(some, fisher=False)
            np.testing.assert_allclose(found[row, 3], kurtosis, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found[row, 4:], np.quantile(some, SHARES), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(average(image, at, first)[row], some.mean(), rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.3, -1e6])
def test_equal_pixels_have_no_spread(level):
    image = np.full((5, 5), level, np.float32)
    found = describe(image, np.arange(25, dtype=np.int32), 10, SHARES)
    np.testing.assert_allclose(found[:, 0], np.float32(level))
    np.testing.assert_array_equal(found[:, 1:4], [[0, 0, 3]] * 3)
    np.testing.assert_array_equal(found[:, 4:], np.full((3, len(SHARES)), np.float32(level)))


def test_whole_numbers_add_up():
    rng = np.random.default_rng(5)
    at = rng.permutation(800)[:500].astype(np.int32)
    whole = rng.integers(0, 65536, 800).astype(np.uint16)
    found = average(whole, at, 200)
    some = whole[at].astype(np.int64)
    assert found.tolist() == [some.sum() / 500, some[:200].sum() / 200, some[200:].sum() / 300]
