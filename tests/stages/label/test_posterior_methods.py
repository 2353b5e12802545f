"""The methods of the posterior against slow computations, cell by cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.stages.label._learned import deal
from cellwise.stages.label._twins import twins_of
from cellwise.stages.label.posterior._evidence import Start
from cellwise.stages.label.posterior._fields import Fields, company
from cellwise.stages.label.posterior._methods import ALONE, HEDGED, competing
from cellwise.stages.label.posterior._pooled import pooled
from cellwise.stages.label.posterior.hedge import hedge
from cellwise.stages.label.posterior.mixture import shown_share
from cellwise.stages.label.posterior.one_state import OneState, one_state
from cellwise.stages.label.posterior.ratio import ratio, supported

SEEDS = st.integers(0, 2**32 - 1)


def _fields(seed, *, fields=5, cells=23, classes=4):
    """Fields of any labels, one without."""
    random = np.random.default_rng(seed)
    given_ = random.random((fields, classes)) < 0.5
    given_[0] = False
    return Fields(np.sort(random.integers(0, fields, cells)), given_)


def _smooth(seed, cells, classes):
    """What cells make of labels: a fixed average of others, so that rounds differ."""
    random = np.random.default_rng([seed, 1])
    mixing = random.random((cells, cells))
    np.fill_diagonal(mixing, 0)
    mixing /= mixing.sum(1, keepdims=True)
    found = random.random((cells, classes))
    return lambda labels: (0.5 * mixing @ labels + 0.5 * found).astype(np.float32)


def _slow_ratio(fields, smooth, rounds, exponent):
    labels = fields.given[fields.field].astype(float)
    for _ in range(rounds):
        found = smooth(labels.astype(np.float32)).astype(float)
        new = np.zeros_like(labels)
        for n, field in enumerate(fields.field):
            own = np.flatnonzero(fields.given[field])
            mates = np.flatnonzero(fields.field == field)
            shares = {k: found[n, k] / max(found[m, k] for m in mates) for k in own}
            for k, share in shares.items():
                new[n, k] = share * (share / sum(shares.values())) ** exponent
        labels = new
    return labels


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0]))
def test_ratios_agree_with_a_slow_loop(seed, rounds, exponent):
    fields = _fields(seed)
    smooth = _smooth(seed, 23, 4)
    found = ratio(fields, smooth, rounds=rounds, compete=exponent)
    np.testing.assert_allclose(found, _slow_ratio(fields, smooth, rounds, exponent), atol=1e-5)


def _slow_company(labels):
    count, classes = labels.shape
    result = np.zeros((count, classes))
    for b in range(count):
        for k in range(classes):
            total, mass = labels[:, k].mean(), 1.0
            for o in range(count):
                if o == b:
                    continue
                rest = [j for j in range(classes) if j != k]
                common = sum(labels[b, j] and labels[o, j] for j in rest)
                either = sum(labels[b, j] or labels[o, j] for j in rest)
                weight = np.exp(6 * common / max(either, 1))
                total, mass = total + weight * labels[o, k], mass + weight
            result[b, k] = total / mass
    return result


@settings(max_examples=15)
@given(SEEDS)
def test_company_agrees_with_a_slow_loop(seed):
    labels = np.random.default_rng(seed).random((9, 4)) < 0.4
    np.testing.assert_allclose(company(labels), _slow_company(labels), atol=1e-12)


def _slow_one_state(fields, smooth, options):
    """The same rounds, field by field and cell by cell."""
    given_ = fields.given
    classes = given_.shape[1]
    rows = [np.flatnonzero(fields.field == b) for b in range(len(given_))]
    labels = np.zeros((len(fields.field), classes))
    for b, mine in enumerate(rows):
        labels[mine] = given_[b] / max(given_[b].sum(), 1)
    missed = np.minimum(_slow_company(given_) * options.odds, 1) + 0.002
    base = np.where(given_, 1, missed)
    for _ in range(options.rounds):
        found = np.maximum(smooth(labels.astype(np.float32)).astype(float), 1e-3)
        usual = np.maximum(labels.mean(0), 0.005) if options.lift else 1.0
        lifted = np.maximum(found / usual, 1e-6) ** options.temper
        labels = np.zeros_like(labels)
        shares = base / base.sum(1, keepdims=True)
        prior = options.even * given_.sum(1, keepdims=True) * shares
        some = [b for b, mine in enumerate(rows) if given_[b].any() and len(mine)]
        for _ in range(30):
            moved = 0.0
            for b in some:
                own = lifted[rows[b]] * shares[b]
                labels[rows[b]] = own / own.sum(1, keepdims=True)
                new = (labels[rows[b]].sum(0) + prior[b]) / (len(rows[b]) + prior[b].sum())
                moved = max(moved, np.abs(new - shares[b]).max())
                shares[b] = new
            if moved < 1e-3:
                break
        for b in some:
            own, size = labels[rows[b]], given_[b].sum()
            for _ in range(10):
                shown = 1 - np.prod(1 - np.minimum(own, 0.999), axis=0)
                low = given_[b] & (shown < 0.7)
                if not options.cover or len(own) < size or not low.any():
                    break
                own = own * np.where(low, 1.5, 1)
                own /= own.sum(1, keepdims=True)
            labels[rows[b]] = own
    return labels


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_one_state_agrees_with_a_slow_loop(seed, cover, lift):
    fields = _fields(seed)
    options = OneState(rounds=3, cover=cover, lift=lift)
    smooth = _smooth(seed, 23, 4)
    found = one_state(fields, smooth, options)
    np.testing.assert_allclose(found, _slow_one_state(fields, smooth, options), atol=1e-4)


def test_the_mixture_finds_what_fields_without_the_class_never_look_like():
    random = np.random.default_rng(0)
    shows = random.random(4000) < 0.3
    of_field = random.normal(np.where(shows, 3, 0), 0.5)
    found = np.concatenate([of_field, random.normal(0, 0.5, 4000)])
    given_ = np.repeat([True, False], 4000)
    label = shown_share(found, given_)
    assert (label[~given_] == 0).all()
    assert label[:4000][shows].mean() > 0.95
    assert label[:4000][~shows].mean() < 0.05


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from(sorted(ALONE)), st.permutations(range(4)))
def test_labels_stay_in_range_and_the_order_of_classes_is_of_no_influence(seed, name, order):
    fields, smooth = _fields(seed), _smooth(seed, 23, 4)
    start = Start(smooth, OneState(3, missed=False))
    found = ALONE[name](fields, start)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-9
    assert (found[~fields.own] == 0).all()
    back = np.argsort(order)
    moved = Start(lambda labels: smooth(labels[:, back])[:, order], start.one_state)
    other = ALONE[name](Fields(fields.field, fields.given[:, order]), moved)
    np.testing.assert_allclose(other, found[:, order], atol=1e-5)


def test_full_competition_leaves_a_cell_hardly_more_than_one_label():
    fields = Fields(np.array([0, 0]), np.array([[True, True]]))
    found = np.array([[0.8, 0.2], [0.2, 0.8]], np.float32)
    shares = [supported(fields, found, compete=tau)[0, 0] for tau in (0.0, 1.0)]
    assert shares == pytest.approx([1.0, 1 / 1.25])
    start = Start(lambda _: found, OneState(1))
    np.testing.assert_allclose(competing(1.0)(fields, start)[0], [1 / 1.25, 0.25 * 0.2], rtol=1e-6)
    assert HEDGED["inherit"][0](fields, start).tolist() == [[1, 1], [1, 1]]


@settings(max_examples=25)
@given(SEEDS, st.floats(0.1, 5), st.floats(0.1, 5))
def test_the_hedge_is_a_mean_of_labels_of_one_spread(seed, one, other):
    random = np.random.default_rng(seed)
    a, b = random.random((2, 12, 3))
    b[:, 2] = 0.5
    found = hedge([a, b], [one, other])
    share = one / (one + other)
    for k in range(2):
        usual = share * a[:, k].std() + (1 - share) * b[:, k].std()
        mixed = share * a[:, k] / a[:, k].std() + (1 - share) * b[:, k] / b[:, k].std()
        np.testing.assert_allclose(found[:, k], np.minimum(mixed * usual, 1), atol=1e-9)
    np.testing.assert_allclose(found[:, 2], a[:, 2])
    np.testing.assert_allclose(hedge([a, b], [1, 0]), a)
    by_class = hedge([a, b], np.array([[1, one, 1], [0, other, 0]], float))
    np.testing.assert_allclose(by_class, np.c_[a[:, 0], found[:, 1], a[:, 2]])


def test_classes_of_few_fields_are_drawn_to_what_other_classes_keep():
    fields = Fields(np.arange(24), np.stack([np.arange(24) < 20, np.arange(24) >= 20], 1))
    labels = np.where(fields.own, 0.4, 0.0)
    labels[23, 1] = 0.1
    assert pooled(fields, labels)[23, 1] == pytest.approx(0.1 * 3 / 9 + 0.4 * 6 / 9)
    np.testing.assert_allclose(pooled(fields, labels)[:, 0], labels[:, 0])


@settings(max_examples=20)
@given(SEEDS)
def test_classes_of_fewer_than_four_fields_inherit(seed):
    fields = _fields(seed, fields=9, cells=40)
    labels = np.random.default_rng([seed, 2]).random((40, 4))
    rare = fields.given.sum(0) < 4
    found = pooled(fields, labels)
    np.testing.assert_array_equal(
        found[:, rare & fields.given.any(0)], fields.own[:, rare & fields.given.any(0)]
    )
    never = ~fields.given.any(0)
    np.testing.assert_array_equal(found[:, never], labels[:, never])
    assert (found[:, ~rare] != fields.own[:, ~rare]).any() or rare.all()


def test_without_a_class_of_many_fields_all_inherit():
    alone = Fields(np.arange(2), np.eye(2, dtype=bool))
    np.testing.assert_allclose(pooled(alone, np.full((2, 2), 0.2, np.float64)), np.eye(2))


def test_labels_always_given_together_are_one():
    labels = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], bool)
    twins = twins_of(labels)
    assert twins.names(labels, ("a", "b", "c", "d")) == [["a", "b"]]
    values = np.array([[0.1, 0.2, 0.3]])
    assert twins.spread(values).tolist() == [[0.1, 0.1, 0.2, 0.3]]
    np.testing.assert_array_equal(twins.merged(labels), labels[:, [0, 2, 3]])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 4), SEEDS)
def test_groups_are_dealt_whole_and_evenly(groups, parts, seed):
    number = np.array(groups)
    part = deal(number, parts, np.random.default_rng(seed))
    of_group = {g: set(part[number == g]) for g in set(groups)}
    assert all(len(found) == 1 for found in of_group.values())
    sizes = np.bincount([next(iter(found)) for found in of_group.values()], minlength=parts)
    assert sizes.max() - sizes.min() <= 1
