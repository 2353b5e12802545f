"""Adjusters: hand-made cells, a slow re-computation on probabilities, and what may not change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.contracts.adjuster import Cells
from cellwise.errors import BadOption
from cellwise.stages.decide._logits import logit, logit_of_log
from cellwise.stages.decide.adjust import adjusters

LOGITS = arrays(np.float64, (7, 3), elements=st.floats(-8, 8))
FIELD = np.array([0, 0, 0, 1, 1, 2, 2])


def cells(field=FIELD, *, of_field=None, area=None, border=None):
    n = len(field)
    return Cells(
        np.asarray(field),
        of_field,
        np.ones(n) if area is None else np.asarray(area, float),
        np.zeros(n, bool) if border is None else np.asarray(border),
    )


def chance(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, float)))


def test_the_product_demands_both():
    make = adjusters.build({"name": "field_score"})
    found = make(np.array([[2.0], [2.0]]), cells([0, 1], of_field=np.array([[1.0], [-3.0]])))
    assert chance(found)[:, 0] == pytest.approx(
        [chance(2.0) * chance(1.0), chance(2.0) * chance(-3.0)]
    )


@given(own=LOGITS, of_field=LOGITS)
def test_ways_of_joining_agree_with_plain_probabilities(own, of_field):
    p, q = chance(own), chance(of_field)
    expected = {
        "product": p * q,
        "mean": 0.7 * p + 0.3 * q,
        "geometric": p**0.7 * q**0.3,
    }
    for how, value in expected.items():
        make = adjusters.build({"name": "field_score", "how": how, "weight": 0.3})
        np.testing.assert_allclose(chance(make(own, cells(of_field=of_field))), value, rtol=1e-6)


def test_field_scores_must_be_named():
    with pytest.raises(BadOption, match="field: <score step>"):
        adjusters.build("field_score")(np.zeros((7, 1)), cells())


@given(own=LOGITS, share=st.floats(0, 1))
def test_neighbours_agree_with_a_slow_loop(own, share):
    found = chance(adjusters.build({"name": "neighbours", "share": share})(own, cells()))
    p = chance(own)
    for i in range(7):
        others = [j for j in range(7) if FIELD[j] == FIELD[i] and j != i]
        expected = (1 - share) * p[i] + share * p[others].mean(axis=0)
        np.testing.assert_allclose(found[i], expected, rtol=1e-6, atol=1e-9)


def test_the_only_cell_of_a_field_keeps_its_score():
    own = np.array([[1.5], [0.2], [0.1]])
    found = adjusters.build("neighbours")(own, cells([0, 1, 1]))
    assert found[0, 0] == 1.5
    assert found[1, 0] != 0.2


def test_small_cells_at_the_edge_are_claimed_with_less_confidence():
    own = np.zeros((4, 1))
    world = cells([0, 0, 1, 1], area=[100, 40, 100, 40], border=[False, False, True, True])
    found = adjusters.build({"name": "visible_area", "edge": 1.0, "inner": 0.5})(own, world)
    # The median cell has 70 pixels: bounds are 70 at the edge and 35 inside.
    assert chance(found)[:, 0] == pytest.approx([0.5, 0.5, 0.5, 0.5 * 40 / 70])


@given(own=LOGITS)
def test_bounds_of_zero_leave_all_as_it_was(own):
    make = adjusters.build({"name": "visible_area", "edge": 0, "inner": 0})
    assert np.array_equal(make(own, cells(area=np.arange(1, 8))), own)


@given(own=arrays(np.float64, (7, 1), elements=st.floats(-700, 700)))
def test_logits_however_large_stay_finite(own):
    for spec in ("field_score", "neighbours", "visible_area"):
        found = adjusters.build(spec)(own, cells(of_field=own))
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "spec",
    [
        {"name": "field_score", "how": "sum"},
        {"name": "field_score", "weight": 1.5},
        {"name": "neighbours", "share": -0.1},
        {"name": "visible_area", "edge": -1},
    ],
)
def test_values_out_of_range_are_refused(spec):
    with pytest.raises(BadOption):
        adjusters.build(spec)


@given(value=st.floats(-20, 20))
def test_logits_of_logarithms_and_of_probabilities_agree(value):
    p = chance(value)
    assert logit(p) == pytest.approx(value, abs=1e-4)
    assert logit_of_log(np.log(p)) == pytest.approx(value, abs=1e-4)


@given(own=LOGITS)
def test_exclusive_classes_share_one_answer(own):
    powers = np.exp(own)
    for none in (True, False):
        share = powers / (powers.sum(axis=1, keepdims=True) + none)
        found = adjusters.build({"name": "exclusive", "none": none})(own, cells())
        np.testing.assert_allclose(chance(found), share, rtol=1e-6, atol=1e-12)


def test_a_cell_that_shows_another_class_more_ranks_lower():
    """Both cells score 2 for the first class; the second one scores 5 for the other."""
    own = np.array([[2.0, 0.0], [2.0, 5.0]])
    found = adjusters.build("exclusive")(own, cells([0, 1]))
    assert found[0, 0] > found[1, 0]


def test_a_single_class_keeps_its_score():
    own = np.array([[2.0], [-1.0]])
    for none in (True, False):
        make = adjusters.build({"name": "exclusive", "none": none})
        assert make(own, cells([0, 1])) == pytest.approx(own)
