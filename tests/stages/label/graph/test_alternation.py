"""Both closed forms of the alternation against solvers that know nothing of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from tests.stages.label.graph import the_source

from cellwise.kernels.graphs.smooth import Smoothest
from cellwise.stages.label.graph._alternation import alternated


def _functions(count=80, width=12, seed=0):
    vectors = np.linalg.qr(np.random.default_rng(seed).normal(size=(count, width)))[0]
    return Smoothest(np.linspace(0, 0.9, width), vectors.astype(np.float32), 0.0, 0)


def test_the_weights_of_functions_are_those_that_admm_finds():
    rng = np.random.default_rng(1)
    smooth, labels = _functions(), rng.random((80, 5)).astype(np.float32)
    weights = the_source.basis_pursuit(smooth.vectors, labels, 0.3 * np.sqrt(smooth.values))
    # With all labels free to go to what is smooth, one round gives V A itself, cut off at 0.
    found, rounds = alternated(smooth, 0 * labels + labels, penalty=0.3, slack=0.0, rounds=1)
    assert rounds == 1
    assert found == pytest.approx(np.maximum(smooth.vectors @ weights, 0), abs=1e-5)
    assert (weights == 0).any()


@given(st.floats(-1, 2), st.floats(0, 1), st.floats(0.01, 0.5))
def test_the_label_step_is_the_minimum_and_the_better_of_the_two_candidates(smooth, start, slack):
    closed = max(0.0, float(np.clip(start, smooth - slack, smooth + slack)))

    def cost(label):
        return (label - smooth) ** 2 / 2 + slack * abs(label - start)

    searched = minimize_scalar(cost, bounds=(0, 4), method="bounded", options={"xatol": 1e-9}).x
    assert cost(closed) <= cost(searched) + 1e-12
    assert closed == pytest.approx(searched, abs=1e-4)
    rule = the_source.nearer(np.array([smooth]), np.array([start]), slack)[0]
    assert closed == pytest.approx(rule, abs=1e-12)


def test_twenty_thousand_pairs_agree_with_the_candidates_to_the_last_digit():
    rng = np.random.default_rng(2)
    smooth, start = rng.normal(0.4, 0.6, 20_000), rng.random(20_000)
    closed = np.maximum(0, np.clip(start, smooth - 0.12, smooth + 0.12))
    assert np.array_equal(closed, the_source.nearer(smooth, start, 0.12))


def test_it_ends_where_labels_stay_and_leaves_alone_what_is_smooth():
    smooth = _functions()
    start = np.abs(smooth.vectors[:, :1] * 3).astype(np.float32)
    found, rounds = alternated(smooth, start, penalty=0.0, slack=10.0, rounds=50)
    assert rounds == 1
    assert np.array_equal(found, start)
