"""Deciders that fit or apply curves, against scikit-learn and plain loops."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.preprocessing import RobustScaler, StandardScaler

from cellwise.contracts.curves import (
    InField,
    Lines,
    Logistic,
    Mixture,
    Steps,
    curve_of_json,
    curve_to_json,
)
from cellwise.contracts.decider import Evidence
from cellwise.errors import BadOption
from cellwise.stages.decide import boosting, deciders, in_field, isotonic, mixture
from cellwise.testing import check_decider


def _world(fields=60, cells=5, classes=3, seed=0):
    """Fields with none, one or two labels; scores are higher in fields with the label."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((fields, classes), dtype=bool)
    for row in labels:
        row[rng.choice(classes, rng.integers(0, 3), replace=False)] = True
    field = np.repeat(np.arange(fields), cells)
    logits = rng.normal(labels[field] * 2.0 - 1.0, 1.0).astype(np.float32)
    return Evidence(logits, field, labels)


def _pooled(world):
    cells = (world.labels.sum(1) <= 1)[world.field]
    x = world.logits[cells].astype(np.float64).ravel()
    return x, world.labels[world.field[cells]].ravel().astype(float)


def test_boosting_is_the_source_s_scaler_and_regressor():
    world = _world()
    x, y = _pooled(world)
    scaler = StandardScaler().fit(x[:, None])
    order = np.lexsort([y, x])
    model = GradientBoostingRegressor(random_state=0)
    model.fit(scaler.transform(x[order, None]), y[order])
    new = np.random.default_rng(1).normal(0, 2, (500, 3))
    wanted = model.predict(scaler.transform(new.reshape(-1, 1))).reshape(new.shape)
    found = boosting.build()(world).curve(new, np.zeros(500, np.int64))
    assert np.mean(np.isclose(found, wanted, atol=1e-9)) > 0.999  # a number on an edge may differ
    assert len(np.unique(found)) > 20


def test_isotonic_never_falls_and_keeps_the_mean():
    world = _world(seed=2)
    x, y = _pooled(world)
    found = isotonic.build()(world)
    values = found.curve(x[:, None], np.zeros(len(x), np.int64))[:, 0]
    assert found.calibration == "weak"
    assert (np.diff(values[np.argsort(x)]) >= -1e-12).all()
    assert values.mean() == pytest.approx(y.mean())


def test_only_fields_with_one_label_or_none_teach():
    world = _world(seed=3)
    many = world.labels.sum(1) > 1
    logits = world.logits.copy()
    logits[many[world.field]] += 50
    for part in (boosting, isotonic):
        first = part.build()(world).curve
        assert first == part.build()(Evidence(logits, world.field, world.labels)).curve


@pytest.mark.parametrize("part", [boosting, isotonic])
@pytest.mark.parametrize("labels", [[[1, 1]], [[0, 0]]])
def test_nothing_is_fitted_where_no_field_tells(part, labels):
    found = part.build()(
        Evidence(np.zeros((2, 2), np.float32), np.zeros(2, np.int64), np.array(labels, dtype=bool))
    )
    assert found.curve is None
    assert found.calibration == "none"


@pytest.mark.parametrize("part", [boosting, isotonic])
@pytest.mark.parametrize("fields", [1, 9, 10])
def test_a_curve_is_of_ten_fields_at_least(part, fields):
    labels = np.eye(2, dtype=bool)[np.arange(fields) % 2]
    both = np.vstack([labels, np.ones((20, 2), bool)])
    cells = np.repeat(np.arange(len(both)), 4)
    logits = np.random.default_rng(fields).normal(size=(len(cells), 2)).astype(np.float32)
    found = part.build()(Evidence(logits, cells, both))
    assert (found.curve is not None) == (fields >= 10)
    assert found.calibration == ("weak" if fields >= 10 else "none")


@pytest.mark.parametrize("robust", [True, False])
def test_scores_are_scaled_within_their_field(robust):
    rng = np.random.default_rng(4)
    field = rng.integers(0, 4, 40)
    logits = rng.normal(0, 3, (40, 5)) + field[:, None] * 7
    found = in_field.build(robust=robust)(_world()).curve(logits, field)
    for number in range(4):
        own = logits[field == number].reshape(-1, 1)
        scaled = (RobustScaler() if robust else StandardScaler()).fit_transform(own)
        wanted = 1 / (1 + np.exp(-2.0 * (scaled - 0.2)))
        assert np.allclose(found[field == number], wanted.reshape(-1, 5))


def test_equal_scores_of_a_field_are_scaled_to_nothing():
    found = InField(2.0, 0.2, robust=True)(np.full((3, 2), 9.0), np.zeros(3, np.int64))
    assert np.allclose(found, 1 / (1 + np.exp(0.4)))


def test_a_mixture_is_the_weighted_mean_of_its_parts():
    world = _world(seed=5)
    whole = mixture.build(of=["temperature", {"name": "isotonic"}], weights=[3, 1])(world)
    logits, field = world.logits.astype(np.float64), world.field
    apart = [
        deciders.build(name)(world).as_curve(logits, field) for name in ("temperature", "isotonic")
    ]
    assert np.allclose(whole.curve(logits, field), 0.75 * apart[0] + 0.25 * apart[1])


@pytest.mark.parametrize(
    ("of", "weights"),
    [
        (["none"], []),
        (["none", "none"], [1]),
        (["none", "none"], [0, 0]),
        (["none"] * 2, [-1, 2]),
        # Shares of a sum that is no number would be 0 for every cell.
        (["none"] * 2, [1e308, 1e308]),
        (["none"] * 2, [float("inf"), 1]),
    ],
)
def test_weights_that_are_none_are_refused(of, weights):
    with pytest.raises(BadOption, match="decide mixture"):
        mixture.build(of=of, weights=weights)


@pytest.mark.parametrize("part", [boosting, isotonic, in_field, mixture])
def test_contract(part):
    check_decider(part.build)


_rows = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=6).map(sorted).map(tuple)


@st.composite
def _curves(draw, inner=True):
    kinds = ["logistic", "steps", "lines", "in_field"] + (["mixture"] if inner else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "logistic":
        return Logistic((draw(st.floats(0.1, 9)),) * 2, (draw(st.floats(-5, 5)),) * 2)
    if kind == "in_field":
        return InField(draw(st.floats(0.1, 9)), draw(st.floats(-5, 5)), draw(st.booleans()))
    if kind == "mixture":
        weight = draw(st.floats(0, 1))
        parts = tuple(draw(_curves(inner=False)) for _ in range(2))
        return Mixture(parts, (weight, 1 - weight))
    points = draw(_rows)
    size = len(points) + (kind == "steps")
    values = tuple(draw(st.lists(st.floats(-1, 2), min_size=size, max_size=size)))
    return (Steps if kind == "steps" else Lines)((points,), (values,))


@settings(max_examples=60, deadline=None)
@given(_curves(), st.integers(0, 5))
def test_a_curve_comes_back_from_its_file_whole(curve, seed):
    back = curve_of_json(json.loads(json.dumps(curve_to_json(curve))))
    logits = np.random.default_rng(seed).normal(0, 4, (12, 2))
    field = np.arange(12) // 3
    assert back == curve
    assert np.array_equal(back(logits, field), curve(logits, field))


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "spline"},
        {"kind": "steps", "edges": [[1.0, 0.0]], "values": [[0, 1, 0]]},
        {"kind": "lines", "points": [[0.0]], "values": [[0.0, 1.0]]},
        {"kind": "in_field", "factor": 2},
        {"kind": "mixture", "curves": [{"kind": "in_field", "factor": 2, "shift": 0, "robust": 1}],
         "weights": [0.5]},
    ],
)  # fmt: skip
def test_a_broken_file_is_refused(content):
    with pytest.raises(ValueError, match=r"curve|Steps|Lines|mixture"):
        curve_of_json(content)
