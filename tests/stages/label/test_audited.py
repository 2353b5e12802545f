"""Cells that people judged, in the posterior: fixed in every round, told from by chance alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.contracts.labeller import Bags
from cellwise.stages.label._per_fold import labels_without_folds
from cellwise.stages.label._twins import twins_of
from cellwise.stages.label.posterior import METHODS, build
from cellwise.stages.label.posterior import _choice as choice
from cellwise.stages.label.posterior._audited import ENOUGH, audit_of, fields_of
from cellwise.stages.label.posterior._fields import Fields, Told
from cellwise.stages.label.posterior._guard import gains
from cellwise.stages.label.posterior._methods import ALONE, HEDGED
from cellwise.stages.label.posterior.one_state import OneState, one_state

SEEDS = st.integers(0, 2**32 - 1)


def _bags(seed=0, *, fields=60, each=6, none=0.3, missed=0.1):
    """Fields of one or two of three labels; cells show one of them, none, or what it lacks."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(fields), each)
    labels = np.eye(3, dtype=bool)[np.arange(fields) % 3]
    labels[np.arange(fields), (np.arange(fields) + 1) % 3] |= random.random(fields) < 0.6
    truth = np.zeros((len(site), 3), bool)
    for n, field in enumerate(site):
        lacking = np.flatnonzero(~labels[field])
        of = lacking if random.random() < missed and len(lacking) else np.flatnonzero(labels[field])
        truth[n, random.choice(of)] = random.random() >= none
    vectors = truth @ random.normal(0, 2, (3, 6)) + random.normal(0, 1, (len(site), 6))
    plain = np.zeros(len(site), bool)
    bags = Bags(
        site, labels, None, plain, plain,
        classes=("a", "b", "c"), seed=1, vectors=vectors.astype(np.float32), group=site // 2,
    )  # fmt: skip
    return bags, truth


def _judged(bags, truth, count, *, drawn=True, seed=0):
    """So many cells judged, drawn at random or picked."""
    random = np.random.default_rng([seed, 2])
    rows = random.choice(len(truth), count, replace=False)
    verdict = np.full(truth.shape, np.nan, np.float32)
    verdict[rows] = truth[rows]
    weight = np.zeros(len(truth), np.float32)
    weight[rows] = len(truth) / count
    return replace(bags, verdict=verdict, audited=weight if drawn else None)


def _even(labels):
    return np.full_like(labels, 0.5)


@pytest.mark.parametrize("method", METHODS)
def test_judged_cells_keep_what_people_saw(method):
    bags, truth = _bags()
    some = _judged(bags, truth, 80)
    # One class of one cell: the others are still the labeller's.
    alone = int(np.flatnonzero(np.isnan(some.verdict).all(1))[0])
    some.verdict[alone, 2] = 1
    found = build(method, rounds=2, restarts=2)(some)
    seen = np.isfinite(some.verdict)
    np.testing.assert_array_equal(found.label[seen], some.verdict[seen])


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([0.0, 0.2]))
def test_what_all_cells_judged_tell_is_what_they_show(seed, none, missed):
    bags, truth = _bags(seed, none=none, missed=missed)
    whole = _judged(bags, truth, len(truth))
    rows, columns = np.arange(len(truth)), np.arange(3)
    told = fields_of(whole, rows, columns, bags.site, bags.field_labels, _even).told
    own = bags.field_labels[bags.site]
    assert told.none == pytest.approx((~truth.any(1)).mean(), abs=1e-6)
    assert told.of_all["false"].value == pytest.approx(1 - truth[own].mean(), abs=1e-6)
    for k, share in enumerate(told.missed_of):
        lost = (truth & ~own)[:, k].sum() / truth[:, k].sum()
        assert share.value == pytest.approx(lost, abs=1e-6)
        assert share.low <= lost + 1e-9
        assert share.high >= lost - 1e-9
        kept = truth[own[:, k], k].mean()
        near = sorted((kept, 1 - told.of_all["false"].value))
        assert near[0] - 1e-6 <= told.shown[k] <= near[1] + 1e-6


def test_a_draw_of_some_cells_holds_the_truth_in_its_intervals():
    held = []
    for seed in range(12):
        bags, truth = _bags(seed)
        some = _judged(bags, truth, 100, seed=seed)
        rows, columns = np.arange(len(truth)), np.arange(3)
        told = fields_of(some, rows, columns, bags.site, bags.field_labels, _even).told
        own = bags.field_labels[bags.site]
        true = {
            "none": (~truth.any(1)).mean(),
            "false": 1 - truth[own].mean(),
            "missed": (truth & ~own).sum() / truth.sum(),
        }
        held += [told.of_all[n].low <= v <= told.of_all[n].high for n, v in true.items()]
    assert np.mean(held) >= 0.8


def test_picks_and_draws_that_are_too_small_tell_nothing_of_other_cells():
    bags, truth = _bags()
    rows, columns = np.arange(len(truth)), np.arange(3)
    for some, word in (
        (_judged(bags, truth, 200, drawn=False), None),
        (_judged(bags, truth, ENOUGH - 1), f"{ENOUGH - 1} cells"),
    ):
        assert fields_of(some, rows, columns, bags.site, bags.field_labels, _even).told is None
        facts = build(rounds=1, restarts=1)(some).facts
        assert ("audit" in facts) == (word is not None)
        if word:
            assert facts["audit"]["supposed_because"].startswith(word)
    enough = build(rounds=1, restarts=1)(_judged(bags, truth, ENOUGH)).facts["audit"]
    assert enough["cells"] == ENOUGH
    assert set(enough["missed"]) == {"a", "b", "c"}


def test_what_was_picked_beside_a_draw_changes_no_share():
    bags, truth = _bags()
    drawn = _judged(bags, truth, 80)
    verdict = drawn.verdict.copy()
    others = np.flatnonzero(np.isnan(verdict).all(1))[:100]
    verdict[others] = 1
    rows, columns = np.arange(len(truth)), np.arange(3)
    told = [
        fields_of(b, rows, columns, bags.site, bags.field_labels, _even).told
        for b in (drawn, replace(drawn, verdict=verdict))
    ]
    assert told[0].of_all == told[1].of_all
    np.testing.assert_array_equal(told[0].shown, told[1].shown)


@settings(max_examples=20)
@given(SEEDS)
def test_one_state_told_what_it_supposes_gives_what_it_gives_untold(seed):
    random = np.random.default_rng(seed)
    given_ = random.random((5, 3)) < 0.5
    field = np.sort(random.integers(0, 5, 30))
    mixing = random.random((30, 30)) / 15
    verdict = np.full((30, 3), np.nan, np.float32)
    plain = Fields(field, given_, verdict)
    supposed = Told(np.ones(3), np.full(3, 0.3), 0.0, (), (), {})

    def smooth(labels):
        return (mixing @ labels).astype(np.float32)

    options = OneState(3)
    np.testing.assert_allclose(
        one_state(replace(plain, told=supposed), smooth, options),
        one_state(plain, smooth, options),
        atol=1e-6,
    )


def test_the_share_that_shows_none_is_given_to_cells_that_look_like_none():
    bags, truth = _bags(none=0.5)
    plain = build("one_state", restarts=1)(bags).label
    told = build("one_state", restarts=1)(_judged(bags, truth, 100)).label
    shows = truth.any(1)
    assert plain.sum(1).min() > 0.99
    assert told[~shows].sum(1).mean() < 0.5 < told[shows].sum(1).mean()


def test_verdicts_of_a_fold_enter_no_label_made_without_it():
    bags, truth = _bags()
    some = _judged(bags, truth, 150)
    fold = np.arange(60) // 2 % 3
    inside = fold[bags.site] == 0
    other = replace(some, verdict=np.where(inside[:, None], 1 - some.verdict, some.verdict))
    made = [
        labels_without_folds(b, fold, build(rounds=2, restarts=1), lambda *_: None)[1]
        for b in (some, other)
    ]
    np.testing.assert_array_equal(made[0][0], made[1][0])
    assert np.isnan(made[0][0][inside]).all()
    assert not np.array_equal(made[0][1][inside], made[1][1][inside])


def test_the_guard_asks_judged_cells_of_groups_whose_verdicts_taught_nothing():
    bags, truth = _bags(none=0.5)
    some = _judged(bags, truth, 150)
    methods = [HEDGED[name][0] for name in ("soft_ratio", "one_state")]
    rows, columns = np.arange(len(truth)), np.arange(3)
    seen = []

    def spy(fields, start):
        seen.append(ALONE["soft_ratio"](fields, start))
        return seen[-1]

    part = np.random.default_rng([bags.seed, 1]).permutation(np.arange(30) % 3)[bags.group]
    left = (part == 0)[:, None]
    turned = replace(some, verdict=np.where(left, 1 - some.verdict, some.verdict))
    state = OneState(3)
    found = [gains(b, rows, columns, [spy, *methods], state) for b in (some, turned)]
    np.testing.assert_array_equal(seen[0], seen[3])
    assert found[0][0] > found[1][0]


def test_one_state_is_leant_on_by_judged_cells_only_where_it_lies_hardly_behind(monkeypatch):
    bags, truth = _bags()
    monkeypatch.setattr(choice, "gains", lambda *_, **__: [0.05, 0.05, 0.03])
    counts = [
        build(rounds=1, restarts=1)(b).facts["counts"]["one_state"]
        for b in (bags, _judged(bags, truth, ENOUGH))
    ]
    assert counts == [6.0, 1.0]


def test_twins_that_people_told_apart_are_none():
    labels = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    verdict = np.full((4, 3), np.nan, np.float32)
    assert twins_of(labels, verdict).group.tolist() == [0, 0, 1]
    verdict[2] = [1, 0, 0]
    assert twins_of(labels, verdict).group.tolist() == [0, 1, 2]


def test_no_verdict_is_no_audit():
    bags, _ = _bags()
    assert audit_of(bags, np.arange(3), np.arange(3)) is None


def test_a_draw_that_does_not_teach_tells_what_it_would_and_fixes_no_cell():
    bags, truth = _bags(fields=80)
    taught = _judged(bags, truth, 200)
    kept = replace(taught, verdict=np.full_like(taught.verdict, np.nan), audit=taught.verdict)
    rows, columns = np.arange(len(truth)), np.arange(3)
    field = bags.site
    given = bags.field_labels
    told = [fields_of(one, rows, columns, field, given, _even) for one in (taught, kept)]
    assert told[1].told is not None
    np.testing.assert_array_equal(told[0].told.shown, told[1].told.shown)
    np.testing.assert_array_equal(told[0].told.missed, told[1].told.missed)
    labels = _even(truth.astype(np.float32))
    # Nobody's word stands in place of a label.
    np.testing.assert_array_equal(told[1].judged(labels), labels)
    assert not np.array_equal(told[0].judged(labels), labels)
