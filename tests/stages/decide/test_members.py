"""Score steps that become one: a curve for each, ranks, and weights by views, validation, group."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import rankdata
from tests.stages.decide.decide_world import Field, RunMaker

from cellwise.contracts.curves import Steps, curve_to_json
from cellwise.contracts.decider import Evidence
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import BadOption, PreflightError, UnknownName
from cellwise.stages.decide import boosting, isotonic
from cellwise.stages.decide._combination import Combination
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._joined import ranks_of
from cellwise.stages.decide._weights import validated_weights
from cellwise.stages.decide.spec import SPEC, Options
from cellwise.store.run.tables import read_table

CLASSES = ("a", "b", "neg")
TWO = {"from": ["main", "other"], "combine": "probabilities", "by": "none"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two networks over 24 fields in two folds; the scores of the second are ten times as large."""
    rng = np.random.default_rng(4)
    fields = []
    for number in range(24):
        labels = [("a",), ("b",), ("a", "b"), ("neg",)][number % 4]
        shown = np.array([name in labels for name in ("a", "b")], float)
        logits = rng.normal(shown * 2 - 1, 1.0, (3, 2))
        line = "HeLa" if number % 2 else "U-2 OS"
        fields.append(
            Field(f"f{number:02}", labels, logits.tolist(), fold=number // 4 % 2,
                  meta={"CellLine": line})
        )  # fmt: skip
    maker = RunMaker(tmp_path_factory.mktemp("members"))
    maker.write(fields, classes=CLASSES)
    other = [
        Field(f.id, f.labels, (10 * (np.array(f.logits) + rng.normal(0, 1, (3, 2)))).tolist(),
              fold=f.fold)
        for f in fields
    ]  # fmt: skip
    maker.scores(other, classes=CLASSES, negative="neg", name="other")
    return maker, fields, other


def _stored(maker, name="decide"):
    return json.loads(maker.run.decision(name).read_text(encoding="utf-8"))


def _said(maker):
    frame = read_table(maker.run.predictions, PREDICTIONS).sort("site_id", "cell_id")
    return frame.select("Prob_a", "Prob_b").to_numpy()


def _evidence(fields):
    labels = np.array([[name in f.labels for name in ("a", "b")] for f in fields])
    logits = np.concatenate([np.array(f.logits, np.float32) for f in fields])
    return Evidence(logits, np.repeat(np.arange(len(fields)), 3), labels)


@pytest.mark.parametrize(("name", "part"), [("boosting", boosting), ("isotonic", isotonic)])
def test_each_network_has_a_curve_of_its_own(world, name, part):
    maker, *members = world
    maker.decide(**TWO, calibrate=name)
    wanted = []
    for fields in members:
        own = _evidence(fields)
        curve = part.build()(own).curve
        wanted.append(curve(own.logits.astype(np.float64), own.field))
    assert _said(maker) == pytest.approx(np.clip(np.mean(wanted, axis=0), 0, 1), abs=1e-6)
    # One curve for both says something else, for their scores differ in scale.
    maker.decide(**{**TWO, "combine": "logits", "by": name})
    assert np.abs(_said(maker) - np.mean(wanted, axis=0)).max() > 0.05


def test_a_curve_is_fitted_to_fields_of_one_label_only(world):
    maker, fields, _ = world
    maker.decide(**{"from": "main", "by": "none"}, calibrate="boosting")
    (curve,) = _stored(maker)["member_curves"]
    single = _evidence([f for f in fields if len(f.labels) == 1])
    assert curve == json.loads(json.dumps(curve_to_json(boosting.build()(single).as_curve)))
    assert _stored(maker)["calibration"] == "weak"


def test_curves_are_not_held_in_0_to_1_before_the_mean():
    high, low = Steps(((0.0,),), ((-0.2, 1.4),)), Steps(((0.0,),), ((0.4, 0.6),))
    both = Combination("probabilities", curves=(high, low))(np.array([[[1.0]], [[-1.0]]]))
    assert expit(both)[0, 0] == pytest.approx((1.4 + 0.4) / 2)


def test_the_source_s_half_and_half_of_each_network(world):
    maker, *_ = world
    half = {"name": "mixture", "of": ["in_field", "boosting"], "weights": [0.5, 0.5]}
    maker.decide(**TWO, calibrate=half)
    curves = _stored(maker)["member_curves"]
    assert [[inner["kind"] for inner in each["curves"]] for each in curves] == [
        ["in_field", "steps"]
    ] * 2
    # Scaled within their field: the middle of a field's numbers is no extreme.
    assert ((_said(maker) > 0.05) & (_said(maker) < 0.95)).mean() > 0.5


def test_what_was_fitted_is_applied_again_and_comes_back_from_its_file(world, tmp_path):
    maker, fields, other = world
    maker.decide(**TWO, calibrate="boosting", weights="auto", per="Metadata_CellLine")
    first, stored = _said(maker), _stored(maker)
    again = Decision.from_json(stored).to_json()
    assert json.loads(json.dumps(again)) == stored
    new = RunMaker(tmp_path)
    unlabelled = [
        Field(f.id, None, f.logits, part="unlabelled", fold=None, meta=f.meta) for f in fields
    ]
    new.write(unlabelled, classes=CLASSES)
    new.scores(other, classes=CLASSES, negative="neg", name="other", fold=None)
    new.decide(**TWO, calibrate="boosting", weights="auto", per="Metadata_CellLine",
               fitted=maker.run.path)  # fmt: skip
    assert (_said(new) == first).all()


def test_ranks_are_shares_of_the_run_s_cells(world):
    maker, *members = world
    maker.decide(**{**TWO, "combine": "ranks"})
    shares = [(rankdata(_evidence(fields).logits, axis=0) - 0.5) / 72 for fields in members]
    assert _said(maker) == pytest.approx(np.mean(shares, axis=0), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 900), st.booleans())
def test_a_curve_of_ranks_keeps_every_order_and_knows_ties(seed, count, few):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, (count, 2)).astype(float) if few else rng.normal(0, 3, (count, 2))
    found = ranks_of(values)(values, np.zeros(count, np.int64))
    exact = (rankdata(values, axis=0) - 0.5) / count
    assert np.abs(found - exact).max() < 2 / 256 + 1e-9
    for own, rank in zip(values.T, found.T, strict=True):
        order = np.argsort(own, kind="stable")
        assert (np.diff(rank[order]) >= 0).all()
        assert len(np.unique(rank.round(12))) == len(np.unique(own))


def _member(labels, rng, noise):
    field = np.repeat(np.arange(len(labels)), 4)
    values = labels[field] * 2.0 - 1 + noise[field] + rng.normal(0, 0.1, (len(field), 3))
    return Evidence(values.astype(np.float32), field, labels)


def test_validation_prefers_members_that_err_little_or_in_their_own_way():
    rng = np.random.default_rng(0)
    labels = rng.random((200, 3)) < 0.3
    first, second = rng.normal(0, 1.2, (2, *labels.shape))
    good = _member(labels, rng, first)
    same, apart, bad = (
        _member(labels, rng, noise) for noise in (first, second, rng.normal(0, 9, labels.shape))
    )
    two = validated_weights([good, bad])
    assert two[0] > 0.75
    assert sum(two) == pytest.approx(1)
    # Two that err alike share what one of them would have.
    three = validated_weights([good, same, apart])
    assert three[2] > max(three[:2]) + 0.1
    assert three[0] + three[1] == pytest.approx(validated_weights([good, apart])[0], abs=0.1)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_weights_are_shares_whatever_the_scale_of_a_member(seed, count):
    rng = np.random.default_rng(seed)
    labels = rng.random((rng.integers(1, 40), 3)) < 0.4
    members = [_member(labels, rng, rng.normal(0, 2, labels.shape)) for _ in range(count)]
    weights = validated_weights(members)
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0
    scaled = [Evidence(m.logits * 8 - 3, m.field, m.labels) for m in members]
    assert validated_weights(scaled) == pytest.approx(weights, abs=2e-3)


def test_few_fields_of_a_group_hardly_move_its_weights():
    rng = np.random.default_rng(1)
    labels = np.array([[True, False, True], [False, True, False]] * 2)
    members = [_member(labels, rng, rng.normal(0, 3, labels.shape)) for _ in range(2)]
    assert validated_weights(members, towards=(0.7, 0.3)) == pytest.approx((0.7, 0.3), abs=0.15)


def test_groups_have_weights_of_their_own(world):
    maker, fields, other = world
    weights = {"HeLa": [0.0, 1.0], "others": [1.0, 0.0]}
    maker.decide(**TWO, weights=weights, per="Metadata_CellLine")
    hela = np.repeat([f.meta["CellLine"] == "HeLa" for f in fields], 3)[:, None]
    wanted = np.where(hela, expit(_evidence(other).logits), expit(_evidence(fields).logits))
    assert _said(maker) == pytest.approx(wanted, abs=1e-5)


def test_views_weigh_as_many_as_a_step_takes(world):
    maker, fields, other = world
    score = {"kind": "score", "options": {"model": "m", "by": {"name": "cell_net"}}}
    steps = [
        {**score, "name": "main", "options": {"by": {"name": "cell_net", "views": "3 of 8"}}},
        {**score, "name": "other", "options": {"by": {"name": "cell_net", "views": "dihedral"}}},
    ]
    maker.run.record.write_text(json.dumps({"recipe": {"steps": steps}}))
    maker.decide(**TWO, weights="views")
    both = np.stack([expit(_evidence(f).logits) for f in (fields, other)])
    assert _said(maker) == pytest.approx(np.average(both, axis=0, weights=[3, 8]), abs=1e-5)
    assert _stored(maker)["weights"] == [3, 8]


def test_validation_of_networks_that_share_no_field_is_refused(world):
    maker, fields, other = world
    apart = [f for f in other if f.fold == 1]
    maker.scores(apart, classes=CLASSES, negative="neg", name="half")
    only = [f for f in fields if f.fold == 0]
    maker.scores(only, classes=CLASSES, negative="neg", name="rest")
    with pytest.raises(PreflightError, match=r"one\nfold|one fold"):
        maker.decide(**{**TWO, "from": ["half", "rest"]}, weights="auto")
    # A curve of each needs no field in common.
    maker.decide(**{**TWO, "from": ["half", "rest"]}, calibrate="isotonic")
    assert len(_stored(maker)["member_curves"]) == 2


def test_a_column_that_is_not_there_is_named(world):
    maker, *_ = world
    with pytest.raises(BadOption, match="Metadata_CellLine"):
        maker.decide(**TWO, weights="auto", per="Metadata_Line")


def test_weights_for_a_value_that_no_cell_has_are_refused(world):
    """A value that is spelled otherwise would leave its cells at the weights of all."""
    maker, *_ = world
    weights = {"hela": [0.0, 1.0], "others": [1.0, 0.0]}
    with pytest.raises(BadOption, match=r"weights name 'hela', and no cell has .* HeLa"):
        maker.decide(**TWO, weights=weights, per="Metadata_CellLine")


@pytest.mark.parametrize(
    "options",
    [
        {"calibrate": "boosting"},
        {"calibrate": "nothing", "combine": "probabilities"},
        {"calibrate": "boosting", "combine": "ranks"},
        {"combine": "ranks"},
        {"combine": "probabilities", "weights": "best"},
        {"combine": "probabilities", "weights": {"HeLa": [1, 2]}},
        {"combine": "probabilities", "weights": {"HeLa": [1]}, "per": "Metadata_CellLine"},
        {"combine": "probabilities", "weights": [1.0, float("inf")]},
        {"combine": "probabilities", "weights": [1e308, 1e308]},
        {"combine": "probabilities", "weights": {"others": [1e-320, 1e-320]}, "per": "Metadata_A"},
        {"combine": "probabilities", "weights": [1.0, 2.0], "per": "Metadata_CellLine"},
        {"combine": "median", "weights": "auto"},
    ],
)
def test_what_does_not_go_together_is_refused(options):
    with pytest.raises((BadOption, UnknownName)):
        Options.of({"from": ["a", "b"], **options})


def test_a_run_of_before_keeps_its_key():
    fields = Options.model_fields
    assert {"calibrate", "per"} <= set(SPEC.late)
    assert not fields["calibrate"].default
    assert not fields["per"].default
