"""Several score sets made one, against numpy over those that are there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from cellwise.errors import BadOption
from cellwise.stages.decide._combination import Combination
from cellwise.stages.decide.spec import SPEC, Options


def _slow(members, how, weights):
    result = np.full(members.shape[1:], np.nan)
    for place in np.ndindex(*result.shape):
        values = members[(slice(None), *place)]
        there = np.isfinite(values)
        if not there.any() or not np.sum(weights[there]) > 0:
            continue
        values, own = values[there], weights[there]
        if how == "median":
            result[place] = np.median(values)
        elif how == "logits":
            result[place] = np.average(values, weights=own)
        else:
            result[place] = logit(np.average(expit(values), weights=own))
    return result


@given(st.integers(0, 10**6), st.sampled_from(["logits", "probabilities", "median"]))
def test_equals_a_slow_loop(seed, how):
    rng = np.random.default_rng(seed)
    members = rng.normal(0, 3, (rng.integers(1, 5), 6, 2))
    members[rng.random(members.shape[:2]) < 0.3] = np.nan
    weights = np.ones(len(members))
    if how != "median" and rng.random() < 0.5:
        weights = rng.integers(0, 3, len(members)).astype(float)
        weights[0] = 1
    found = Combination(how, () if how == "median" else tuple(weights))(members)
    np.testing.assert_allclose(found, _slow(members, how, weights), rtol=1e-9, atol=1e-9)


def test_means_of_logits_and_of_probabilities_differ_where_one_member_is_sure():
    members = np.array([[[9.0]], [[-1.0]], [[-1.0]]])
    assert Combination("logits")(members)[0, 0] > 0
    assert expit(Combination("probabilities")(members)[0, 0]) == pytest.approx(0.512, abs=1e-3)
    assert Combination("median")(members)[0, 0] == -1


@pytest.mark.parametrize(
    "options",
    [
        {"from": ["a", "b"], "weights": [1.0]},
        {"from": ["a", "b"], "weights": [1.0, -1.0]},
        {"from": ["a", "b"], "weights": [0.0, 0.0]},
        {"from": ["a", "b"], "weights": [1.0, 2.0], "combine": "median"},
    ],
)
def test_weights_that_do_not_fit_are_refused(options):
    with pytest.raises(BadOption, match="weights"):
        Options.of(options)


def test_what_came_later_is_not_set_by_itself():
    plain = Options.of({"from": ["a"]})
    assert not any(getattr(plain, name) for name in SPEC.late)
