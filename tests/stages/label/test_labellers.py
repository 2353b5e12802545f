"""Labellers: what a cell takes from its field, and what scores may change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.labeller import Bags
from cellwise.errors import BadOption
from cellwise.stages.label import inherit, single, soft
from cellwise.stages.label._cells import bag_maximum


def _bags(site, field_labels, scores=None, border=None, tiny=None):
    n = len(site)
    return Bags(
        np.array(site, np.int64),
        np.array(field_labels, dtype=bool),
        None if scores is None else np.array(scores, np.float32),
        np.array(border or [False] * n, dtype=bool),
        np.array(tiny or [False] * n, dtype=bool),
    )


def _logit(p):
    p = np.asarray(p, dtype=np.float64)
    return np.log(p / (1 - p))


@st.composite
def scored_bags(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, sites, classes = draw(st.integers(0, 30)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    scores = rng.normal(0, 3, (n, classes)).astype(np.float32)
    scores[rng.random(n) < 0.1] = np.nan
    return _bags(rng.integers(0, sites, n), rng.random((sites, classes)) < 0.5, scores)


def test_every_cell_takes_its_fields_labels_and_negative_is_all_zero():
    found = inherit.build()(_bags([0, 0, 1], [[1, 0], [0, 0]]))
    assert found.label.tolist() == [[1, 0], [1, 0], [0, 0]]
    assert found.weight.tolist() == [1, 1, 1]
    assert set(found.reason) == {"inherited"}


def test_border_and_tiny_cells_count_less_when_asked():
    bags = _bags([0, 0, 0], [[1]], border=[True, False, True], tiny=[False, True, True])
    assert inherit.build(border=0.5, tiny=0.25)(bags).weight.tolist() == [0.5, 0.25, 0.125]


def test_the_best_supported_cell_keeps_the_label_and_others_follow_in_proportion():
    bags = _bags([0, 0, 0], [[1, 0]], _logit([[0.8, 0.9], [0.4, 0.9], [0.2, 0.9]]))
    assert soft.build()(bags).label == pytest.approx(np.array([[1, 0], [0.5, 0], [0.25, 0]]))
    squared = soft.build(sharpen=2.0)(bags).label[:, 0]
    assert squared == pytest.approx([1, 0.25, 0.0625])


def test_a_label_that_no_cell_supports_may_be_doubted():
    bags = _bags([0, 0], [[1]], _logit([[0.05], [0.01]]))
    assert soft.build()(bags).label[:, 0] == pytest.approx([1, 0.2])
    assert soft.build(least=0.5)(bags).label[:, 0] == pytest.approx([0.1, 0.02])


def test_a_cell_without_score_keeps_the_inherited_label():
    found = soft.build()(_bags([0, 0], [[1, 0]], [[np.nan, np.nan], [2.0, 0.0]]))
    assert found.label.tolist() == [[1, 0], [1, 0]]
    assert found.reason == ("unscored", "supported")


@given(scored_bags(), st.floats(0.2, 4), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_soft_equals_a_slow_loop_and_stays_inside_the_field(bags, sharpen, least):
    label = soft.build(sharpen=sharpen, least=least)(bags).label
    assert (label <= bags.inherited + 1e-7).all()
    for cell, site in enumerate(bags.site):
        mates = [i for i, s in enumerate(bags.site) if s == site and np.isfinite(bags.scores[i, 0])]
        for c in range(label.shape[1]):
            wanted = float(bags.field_labels[site, c])
            if cell in mates and wanted:
                p = 1 / (1 + np.exp(-bags.scores[:, c].astype(np.float64)))
                wanted = (p[cell] / max(max(p[i] for i in mates), least)) ** sharpen
            assert label[cell, c] == pytest.approx(wanted, abs=1e-4)


@given(scored_bags())
@settings(max_examples=30, deadline=None)
def test_each_label_of_a_scored_field_is_kept_by_some_cell(bags):
    label = soft.build()(bags).label
    top = bag_maximum(label, bags.site, sites=len(bags.field_labels))
    held = np.isin(np.arange(len(bags.field_labels)), bags.site)
    assert top[held] == pytest.approx(bags.field_labels[held].astype(float))


@given(scored_bags(), st.floats(0.2, 4), st.floats(0, 1), st.floats(0, 1), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_inherited_share_and_classes_outside_the_field_equal_a_slow_loop(
    bags, sharpen, least, share, restricted
):
    made = soft.build(sharpen=sharpen, least=least, inherited=share, restricted=restricted)
    label = made(bags).label
    for cell, site in enumerate(bags.site):
        mates = [i for i, s in enumerate(bags.site) if s == site and np.isfinite(bags.scores[i, 0])]
        for c in range(label.shape[1]):
            own = wanted = float(bags.field_labels[site, c])
            if cell in mates:
                p = 1 / (1 + np.exp(-bags.scores[:, c].astype(np.float64)))
                best = max(max(p[i] for i in mates), least) if own else 1.0
                said = (p[cell] / best) ** sharpen if own or not restricted else 0.0
                wanted = share * own + (1 - share) * said
            assert label[cell, c] == pytest.approx(wanted, abs=1e-4)


def test_the_soft_labels_of_the_third_system_are_the_probabilities_themselves():
    chance = [[0.8, 0.3], [0.4, 0.9]]
    bags = _bags([0, 0], [[1, 0]], _logit(chance))
    label = soft.build(least=1.0, restricted=False)(bags).label
    assert label == pytest.approx(np.array(chance), abs=1e-6)


def test_an_unrestricted_exclusive_cell_may_show_any_class():
    bags = _bags([0, 1], [[1, 0], [0, 0]], np.log([[1.0, 2.0], [1.0, 2.0]]))
    label = soft.build(exclusive=True, restricted=False)(bags).label
    assert label == pytest.approx(np.array([[0.25, 0.5]] * 2))
    half = soft.build(exclusive=True, restricted=False, inherited=0.5)(bags).label
    assert half == pytest.approx(np.array([[0.625, 0.25], [0.125, 0.25]]))


def test_shares_and_rounds_that_cannot_be_are_refused():
    for wrong in ({"inherited": 1.5}, {"inherited": -0.1}, {"rounds": 0}, {"least": 2.0}):
        with pytest.raises(BadOption):
            soft.build(**wrong)
    with pytest.raises(BadOption, match="one round"):
        soft.build(rounds=2)(_bags([0], [[1]], [[0.0]]))


def test_extreme_scores_give_no_warning_and_no_nan():
    bags = _bags([0, 0, 1], [[1], [1]], [[-2000.0], [2000.0], [-2000.0]])
    for exclusive in (False, True):
        assert np.isfinite(soft.build(exclusive=exclusive)(bags).label).all()


def test_an_exclusive_cell_has_one_answer_among_its_fields_labels():
    bags = _bags([0, 0], [[1, 1, 0]], np.log([[3.0, 1.0, 50.0], [1.0, 1.0, 1.0]]))
    without = soft.build(exclusive=True, none=False)(bags).label
    assert without == pytest.approx(np.array([[0.75, 0.25, 0], [0.5, 0.5, 0]]))
    allowed = soft.build(exclusive=True)(bags).label
    assert allowed == pytest.approx(np.array([[0.6, 0.2, 0], [1 / 3, 1 / 3, 0]]))
    sharp = soft.build(exclusive=True, none=False, sharpen=2.0)(bags).label
    assert sharp[0] == pytest.approx([0.9, 0.1, 0])


def test_an_exclusive_cell_of_a_negative_field_shows_nothing():
    bags = _bags([0, 1], [[0, 0], [1, 0]], [[9.0, 9.0], [0.0, 9.0]])
    for none, share in ((True, 0.5), (False, 1.0)):
        label = soft.build(exclusive=True, none=none)(bags).label
        assert label == pytest.approx(np.array([[0, 0], [share, 0]]))


@given(scored_bags(), st.floats(0.2, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_exclusive_soft_equals_a_slow_loop_and_sums_to_at_most_one(bags, sharpen, none):
    label = soft.build(exclusive=True, none=none, sharpen=sharpen)(bags).label
    for cell, site in enumerate(bags.site):
        wanted = bags.field_labels[site].astype(float)
        if np.isfinite(bags.scores[cell]).all():
            powers = np.exp(sharpen * bags.scores[cell].astype(float)) * wanted
            total = powers.sum() + none
            wanted = powers / total if total else powers
            assert label[cell].sum() <= 1 + 1e-6
        assert label[cell] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"sharpen": 0.0}, {"least": 2.0}, {"border": -1.0}, {"exclusive": True, "least": 0.5}],
)
def test_bad_options_are_refused(options):
    with pytest.raises(BadOption):
        soft.build(**options)


def test_only_fields_of_one_label_or_none_teach():
    bags = _bags([0, 0, 1, 2], [[1, 0], [1, 1], [0, 0]], border=[False, True, False, False])
    found = single.build(border=0.5)(bags)
    assert found.weight.tolist() == [1, 0.5, 0, 1]
    assert found.label.tolist() == [[1, 0], [1, 0], [1, 1], [0, 0]]


@settings(max_examples=30, deadline=None)
@given(scored_bags())
def test_single_is_inherit_where_it_teaches(bags):
    one, other = single.build()(bags), inherit.build()(bags)
    assert (one.label == other.label).all()
    several = bags.field_labels.sum(1)[bags.site] > 1
    assert (one.weight[several] == 0).all()
    assert (one.weight[~several] == other.weight[~several]).all()
