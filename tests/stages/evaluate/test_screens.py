"""Control wells, replicates, positions, and correlation within wells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.errors import BadOption
from cellwise.stages.evaluate import correlation, evaluators, positions, replicates, screen_quality


def test_z_prime_and_ssmd_by_hand():
    # Means 10 and 2, sample deviations 1 and sqrt(2): Z' = 1 - 3 (1 + 1.4142) / 8.
    found = screen_quality.build()(np.array([9.0, 10, 11]), np.array([1.0, 3.0]), seed=0)
    assert found.z_prime == pytest.approx(1 - 3 * (1 + np.sqrt(2)) / 8)
    assert found.ssmd == pytest.approx(8 / np.sqrt(3))
    assert (found.n_positive, found.n_negative) == (3, 2)


@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_screen_quality_has_no_scale_and_ssmd_has_a_sign(seed, scale, shift):
    rng = np.random.default_rng(seed)
    up, down = rng.normal(1, 0.2, 6), rng.normal(0, 0.2, 5)
    one = screen_quality.build(draws=20)(up, down, seed=0)
    two = screen_quality.build(draws=20)(up * scale + shift, down * scale + shift, seed=0)
    turned = screen_quality.build(draws=20)(down, up, seed=0)
    assert two.z_prime == pytest.approx(one.z_prime, rel=1e-6)
    assert turned.z_prime == pytest.approx(one.z_prime)
    assert turned.ssmd == pytest.approx(-one.ssmd)
    assert one.z_prime <= 1


def test_the_interval_of_z_prime_holds_it_and_equals_slow_draws():
    rng = np.random.default_rng(0)
    up, down = rng.normal(1, 0.05, 8), rng.normal(0, 0.05, 8)
    found = screen_quality.build(draws=3000)(up, down, seed=0)
    slow = []
    for _ in range(3000):
        a, b = rng.choice(up, 8), rng.choice(down, 8)
        slow.append(1 - 3 * (a.std(ddof=1) + b.std(ddof=1)) / abs(a.mean() - b.mean()))
    ends = [found.z_prime_low, found.z_prime_high]
    assert ends == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.03)


@pytest.mark.parametrize(
    ("up", "down", "z_prime"),
    [
        ([1.0], [0.0, 0.1], None),
        ([1, 1], [1, 1], None),
        ([1, 1], [0, 0], 1.0),
        ([np.nan, 1], [0, 0], None),
    ],
)
def test_degenerate_controls_give_nan_and_no_warning(up, down, z_prime):
    found = screen_quality.build()(np.array(up, float), np.array(down, float), seed=0)
    assert np.isnan(found.z_prime) if z_prime is None else found.z_prime == z_prime
    assert np.isnan(found.ssmd)


def _slow_icc(value, condition):
    groups = [value[condition == c] for c in np.unique(condition)]
    groups = [g for g in groups if len(g) > 1]
    n = sum(map(len, groups))
    grand = np.concatenate(groups).mean()
    b = sum(len(g) * (g.mean() - grand) ** 2 for g in groups) / (len(groups) - 1)
    w = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - len(groups))
    k = (n - sum(len(g) ** 2 for g in groups) / n) / (len(groups) - 1)
    return (b - w) / (b + (k - 1) * w)


@given(st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_icc_equals_the_textbook_loop(seed):
    rng = np.random.default_rng(seed)
    condition = np.r_[0, 0, 1, 1, rng.integers(0, 6, 12)]
    value = rng.normal(0, 1, 6)[condition] + rng.normal(0, 0.5, len(condition))
    found = replicates.build(draws=50)(value, condition, seed=0)
    assert found.icc == pytest.approx(_slow_icc(value, condition))


def test_icc_of_equal_replicates_is_one_and_of_shuffled_ones_near_zero():
    condition = np.repeat(np.arange(30), 3)
    equal = replicates.build()(condition.astype(float), condition, seed=0)
    assert equal.icc == pytest.approx(1)
    noise = replicates.build()(np.random.default_rng(0).normal(size=90), condition, seed=0)
    assert abs(noise.icc) < 0.2
    assert noise.low < 0 < noise.high


def test_icc_needs_replicates_and_survives_constants():
    single = replicates.build()(np.array([1.0, 2.0]), np.array([0, 1]), seed=0)
    assert np.isnan(single.icc)
    constant = replicates.build()(np.ones(6), np.array([0, 0, 1, 1, 2, 2]), seed=0)
    assert np.isnan(constant.icc)
    gone = replicates.build()(np.array([np.nan]), np.array([0]), seed=0)
    assert gone.conditions == 0


WELLS = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)]


def test_a_row_effect_is_found_and_shares_by_hand():
    value = np.array([float(ord(w[0])) for w in WELLS])
    found = positions.build()(WELLS, value, np.full(96, np.nan), [""] * 96)
    effects = {e.factor: e for e in found.effects}
    assert effects["row"].eta2 == pytest.approx(1)
    assert effects["column"].eta2 == pytest.approx(0)
    assert effects["column"].expected == pytest.approx(11 / 95)
    assert effects["edge"].levels == 2
    assert found.warnings == ()


def test_without_effect_eta2_is_near_its_expectation():
    rng = np.random.default_rng(0)
    each = [
        positions.build()(WELLS, rng.normal(size=96), np.full(96, np.nan), [""] * 96)
        for _ in range(100)
    ]
    mean = np.mean([[e.eta2 for e in found.effects] for found in each], axis=0)
    assert mean == pytest.approx([e.expected for e in each[0].effects], abs=0.02)


def test_the_edge_is_the_rim_of_the_plate():
    value = np.array([1.0 if w[0] in "AH" or w[1:] in ("01", "12") else 0.0 for w in WELLS])
    found = positions.build()(WELLS, value, np.full(96, np.nan), [""] * 96)
    assert {e.factor: e.eta2 for e in found.effects}["edge"] == pytest.approx(1)


def test_dose_by_column_is_called_inseparable():
    wells = [f"{row}{column:02d}" for row in "AB" for column in range(3, 12)]
    dose = np.array([float(w[1:]) - 2 for w in wells])
    found = positions.build()(wells, np.random.default_rng(0).random(18), dose, [""] * 18)
    assert len(found.warnings) == 1
    assert "follows the column" in found.warnings[0]


def test_two_drugs_laid_out_in_opposite_directions_are_both_inseparable():
    wells = [f"{row}{column:02d}" for row in "AB" for column in range(3, 12)]
    dose = np.array(
        [column if w[0] == "A" else 12 - column for w in wells for column in [int(w[1:])]]
    )
    value = np.random.default_rng(0).random(18)
    found = positions.build()(wells, value, dose.astype(float), [w[0] for w in wells])
    assert any("follows the column" in text for text in found.warnings)


@pytest.mark.parametrize("wells", [[], ["A01"], ["nowhere", "B02"], ["A01", "A02", "A03", "A04"]])
def test_few_or_odd_wells_give_nan(wells):
    found = positions.build()(
        wells, np.ones(len(wells)), np.full(len(wells), np.nan), [""] * len(wells)
    )
    assert all(np.isnan(e.eta2) for e in found.effects)


def test_a_model_that_knows_only_the_well_has_no_correlation_within():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(8), 40)
    truth = groups + rng.normal(0, 1, 320)
    blind = groups + rng.normal(0, 1, 320)
    found = correlation.build()(blind, truth, groups)
    assert found.between > 0.9
    assert abs(found.within) < 0.2
    assert correlation.build()(truth, truth, groups).within == pytest.approx(1)


def test_small_or_constant_groups_do_not_count():
    groups = np.array([0] * 3 + [1] * 12)
    found = correlation.build()(np.ones(15), np.arange(15.0), groups)
    assert found.groups == 1
    assert np.isnan(found.within)


def test_all_parts_are_there_and_refuse_nonsense():
    assert {"dose_response", "screen_quality", "positions", "replicates"} <= set(evaluators.names())
    for spec in (
        {"name": "screen_quality", "draws": 0},
        {"name": "positions", "collinear": 0.0},
        {"name": "replicates", "draws": 0},
        {"name": "correlation", "least": 1},
    ):
        with pytest.raises(BadOption):
            evaluators.build(spec)
