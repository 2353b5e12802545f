"""Deciders: pooling of cells to fields, and the temperature that fits field labels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.decider import Evidence
from cellwise.errors import BadOption
from cellwise.stages.decide import deciders, none, temperature
from cellwise.stages.decide._pooling import Bags, pooled


def _evidence(logits, field, labels):
    logits = np.array(logits, np.float32)
    return Evidence(
        logits.reshape(len(logits), -1),
        np.array(field, np.int64),
        np.array(labels, dtype=bool).reshape(-1, 1 if logits.ndim == 1 else logits.shape[1]),
    )


def _sharp_world(scale, fields=200, cells=8, seed=0):
    """Fields drawn from the noisy-or model itself; logits are then multiplied by `scale`."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-3, 1.5, (fields, cells))
    labels = (rng.random((fields, cells)) < 1 / (1 + np.exp(-true))).any(axis=1)
    return _evidence((true * scale).ravel(), np.repeat(np.arange(fields), cells), labels)


def test_pooling_by_hand():
    bags = Bags.of(np.array([0, 0, 1]), count=2)
    logits = np.array([0.0, 0.0, math.log(3)])
    for pooling, wanted in (("noisy_or", 0.75), ("mean", 0.5), ("max", 0.5)):
        yes, no = pooled(logits, bags, pooling=pooling)
        assert np.exp(yes) == pytest.approx([wanted, 0.75])
        assert np.exp(no) == pytest.approx([1 - wanted, 0.25])


@given(
    st.lists(st.floats(-6, 6), min_size=1, max_size=12),
    st.sampled_from(["noisy_or", "mean", "max"]),
)
def test_pooling_equals_a_slow_loop(logits, pooling):
    p = [1 / (1 + math.exp(-value)) for value in logits]
    slow = {
        "noisy_or": 1 - math.prod(1 - value for value in p),
        "mean": sum(p) / len(p),
        "max": max(p),
    }[pooling]
    bags = Bags.of(np.zeros(len(p), np.int64), count=1)
    yes, no = pooled(np.array(logits), bags, pooling=pooling)
    assert math.exp(yes[0]) == pytest.approx(slow, rel=1e-6)
    assert math.exp(no[0]) == pytest.approx(1 - slow, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("pooling", ["noisy_or", "mean", "max"])
def test_extreme_logits_stay_finite(pooling):
    yes, no = pooled(
        np.array([-2000.0, 2000.0]), Bags.of(np.array([0, 1]), count=2), pooling=pooling
    )
    assert np.isfinite(yes).all()
    assert np.isfinite(no).all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_world_is_found_again(scale):
    fitted = temperature.build(few=0.0)(_sharp_world(scale, fields=3000))
    assert fitted.temperatures[0] == pytest.approx(scale, rel=0.15)
    assert fitted.calibration == "weak"
    assert fitted.biases == (0.0,)


def test_a_shift_is_found_when_asked_for():
    world = _sharp_world(1.0, fields=3000)
    moved = Evidence(world.logits - 1.5, world.field, world.labels)
    fitted = temperature.build(bias=True, few=0.0)(moved)
    assert fitted.biases[0] == pytest.approx(1.5, abs=0.4)
    assert fitted.temperatures[0] == pytest.approx(1.0, rel=0.2)


def test_the_fit_is_no_worse_than_any_temperature_on_a_fine_grid():
    world = _sharp_world(2.0, fields=60)
    found = math.log(temperature.build(few=0.0)(world).temperatures[0])
    logits, bags = world.logits[:, 0].astype(float), Bags.of(world.field, count=60)

    def loss(log_t):
        yes, no = pooled(logits[bags.order] / math.exp(log_t), bags, pooling="noisy_or")
        return -np.where(world.labels[:, 0], yes, no).sum() + log_t**2 / 2

    grid = np.linspace(math.log(0.2), math.log(10), 400)
    assert loss(found) <= min(loss(value) for value in grid) + 1e-3


def test_few_positives_pull_the_temperature_towards_one():
    world = _sharp_world(4.0, fields=30, seed=3)
    free = temperature.build(few=0.0)(world).temperatures[0]
    held = temperature.build(few=500.0)(world).temperatures[0]
    assert abs(math.log(held)) < abs(math.log(free))


@pytest.mark.parametrize("label", [0, 1])
def test_a_class_that_all_or_no_fields_carry_keeps_its_scores(label):
    fitted = temperature.build(bias=True)(_evidence([1.0, -1.0], [0, 1], [label, label]))
    assert fitted.temperatures == (1.0,)
    assert fitted.biases == (0.0,)


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_order_of_cells_changes_nothing_and_bounds_hold(seed):
    rng = np.random.default_rng(seed)
    field = np.r_[np.arange(6), rng.integers(0, 6, 20)]
    logits = rng.normal(0, 30, (26, 2)).astype(np.float32)
    labels = rng.random((6, 2)) < 0.5
    order = rng.permutation(26)
    one = temperature.build()(Evidence(logits, field, labels))
    two = temperature.build()(Evidence(logits[order], field[order], labels))
    assert one.temperatures == pytest.approx(two.temperatures, rel=1e-3)
    assert all(0.2 <= value <= 10 for value in one.temperatures)


def test_none_changes_nothing_and_says_so():
    fitted = none.build()(_evidence([1.0, -1.0], [0, 1], [1, 0]))
    assert (fitted.temperatures, fitted.biases, fitted.calibration) == ((1.0,), (0.0,), "none")


def test_parts_by_name_and_bad_options():
    assert {"none", "temperature"} < set(deciders.names())
    with pytest.raises(BadOption, match="pooling"):
        temperature.build(pooling="median")
    with pytest.raises(ValueError, match="at least one cell"):
        Bags.of(np.array([1]), count=2)
