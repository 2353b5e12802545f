"""Order statistics are those of sorted pixels, whatever the numbers are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.features.test_distribution import drawn

from cellwise.kernels.features.quantiles import ranked


@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["normal", "whole", "heavy"]),
    count=st.integers(1, 700),
)
@settings(max_examples=40, deadline=None)
def test_ranks_are_those_of_sorted_pixels(seed, kind, count):
    rng = np.random.default_rng(seed)
    image = drawn(seed, kind, 800).astype(np.float32)
    at = rng.permutation(800)[:count]
    ranks = rng.integers(0, count, 5)
    np.testing.assert_array_equal(ranked(image, at, ranks), np.sort(image[at])[ranks])
