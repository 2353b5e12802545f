"""Gains by source: what a source is darker by comes back, and unknown sources are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import PreflightError
from cellwise.parts.sources import fit_gains, gain_for


def items(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (count, 2, 6, 6)).astype(np.float32)


def test_a_case_by_hand():
    pixels = np.zeros((3, 2, 2, 2), np.float32)
    pixels[:, 0, 0, 0] = (0.8, 0.4, 0.2)
    gains = fit_gains(lambda at: pixels[at], ["a", "a", "b"])
    assert gains["a"] == [1.0, 1.0]
    # The maxima of a are 0.6 in the mean; the second channel is dark, and stays as it is.
    assert gains["b"] == pytest.approx([3.0, 1.0])


@given(factors=st.tuples(*[st.floats(0.05, 1.0)] * 2), seed=st.integers(0, 99))
def test_what_a_source_is_darker_by_comes_back(factors, seed):
    bright = items(20, seed)
    dark = bright[:7] * np.array(factors, np.float32)[:, None, None]
    pixels = np.concatenate([bright, bright[:7], dark])
    names = ["main"] * 27 + ["dark"] * 7
    gains = fit_gains(lambda at: pixels[at], names)
    assert gains["main"] == [1.0, 1.0]
    same = fit_gains(lambda at: np.concatenate([bright, bright[:7], bright[:7]])[at], names)
    lifted = np.array(gains["dark"]) * factors
    np.testing.assert_allclose(lifted, same["dark"], rtol=1e-4)


def test_a_model_without_sources_changes_nothing_and_one_with_them_knows_its_own():
    assert gain_for({"mode": "standard"}, "public") is None
    card = {"sources": {"column": "Metadata_Source", "gains": {"": [1.0], "public": [3.0]}}}
    assert gain_for(card, "public").flatten().tolist() == [3.0]
    assert gain_for(card, "").flatten().tolist() == [1.0]
    for unknown in ("elsewhere", None):
        with pytest.raises(PreflightError, match="Metadata_Source"):
            gain_for(card, unknown)
