"""The graph labeller: who hears whom, what stays, and inputs that no graph can be made of."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stages.label.graph.planted import by_field

from cellwise.contracts.labeller import Bags
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.label import graph
from cellwise.stages.label.graph._denoise import METHODS
from cellwise.stages.label.graph._parts import inside_fields


def _bags(fields=30, each=6, seed=0, **changed):
    planted = by_field(fields, each, seed)
    flat = np.zeros(len(planted.site), bool)
    given_labels = planted.given[np.unique(planted.site, return_index=True)[1]]
    bags = Bags(planted.site, given_labels, None, flat, flat, vectors=planted.vectors)
    return replace(bags, **changed)


def _reasons(found):
    return {reason: found.reason.count(reason) for reason in set(found.reason)}


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**31), st.sampled_from(METHODS), st.sampled_from(graph.CUTS),
    st.integers(1, 3), st.booleans(), st.floats(0, 0.3),
)  # fmt: skip
def test_labels_lie_in_0_to_1_within_the_fields_and_do_not_change_what_was_given(
    seed, method, cut, parts, restricted, lost
):
    rng = np.random.default_rng(seed)
    bags = _bags(fields=12, each=5, seed=seed)
    bags.vectors[rng.random(len(bags.site)) < lost] = np.nan
    bags.vectors[rng.random(bags.vectors.shape) < lost / 3] = np.nan
    before = bags.vectors.copy()
    label = graph.build(method, 8, cut, functions=6, parts=parts, restricted=restricted)
    found, again = label(bags), label(bags)
    assert np.array_equal(found.label, again.label)
    assert np.array_equal(bags.vectors, before, equal_nan=True)
    assert found.label.min() >= 0
    assert found.label.max() <= 1
    if restricted:
        assert not (found.label > bags.inherited).any()
    gone = np.isnan(bags.vectors).all(1)
    assert np.array_equal(found.label[gone], bags.inherited[gone])
    assert {found.reason[i] for i in np.flatnonzero(gone)} <= {"unscored"}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 29), st.integers(0, 2**31))
def test_a_group_never_hears_its_own_labels(field, seed):
    bags = _bags(group=np.arange(180) // 18)
    own = bags.group == bags.group[bags.site == field][0]
    other = bags.field_labels.copy()
    fields = np.unique(bags.site[own])
    other[fields] = np.random.default_rng(seed).random((len(fields), 19)) < 0.5
    label = graph.build(restricted=False, reach=0.5)
    first, again = label(bags), label(replace(bags, field_labels=other))
    assert np.array_equal(first.label[own], again.label[own])
    heard = graph.build(restricted=False, folds=1)
    assert not np.array_equal(
        heard(bags).label[own], heard(replace(bags, field_labels=other)).label[own]
    )


def test_cells_of_a_field_are_no_neighbours_where_edges_are_cut():
    bags = _bags()
    # Each field a knot of its own: all neighbours are of the field, unless they are cut off.
    bags.vectors[:] = np.random.default_rng(0).normal(size=(30, 256))[bags.site]
    bags.vectors[:, 0] += np.arange(180) * 1e-3
    apart = graph.build(neighbours=5, folds=1, restricted=False)(bags)
    cut = graph.build(neighbours=5, folds=1, restricted=False, cut="field")(bags)
    assert np.array_equal(apart.label, bags.inherited)
    assert not np.allclose(cut.label, bags.inherited, atol=0.3)


def test_what_people_saw_and_refused_stays_and_speaks_for_neighbours():
    bags = _bags()
    verdict = np.full((180, 19), np.nan, np.float32)
    bags.field_labels[:, 18] = False
    near = np.argsort(((bags.vectors - bags.vectors[0]) ** 2).sum(1))
    verdict[near[1:6], 18] = 1
    verdict[near[6], np.flatnonzero(bags.inherited[near[6]])] = 0
    found = graph.build(neighbours=10, restricted=False)(replace(bags, verdict=verdict))
    assert (found.label[near[1:6], 18] == 1).all()
    assert not found.label[near[6]][bags.inherited[near[6]] > 0].any()
    assert found.label[near[0], 18] > 0
    listed = found.candidates
    mine = (listed.kind == "near_known") & (listed.column == 18)
    assert near[0] in listed.cell[mine]
    assert (listed.known_near[mine] >= 3).all()
    assert not np.isin(near[1:6], listed.cell[mine]).any()


def test_cells_of_two_networks_never_meet():
    bags = _bags()
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(256, 256)))[0]
    maker = bags.site % 2
    turned = np.where(maker[:, None] == 1, bags.vectors @ turn, bags.vectors).astype(np.float32)
    label = graph.build(neighbours=8, scale=False)
    first = label(replace(bags, maker=maker))
    again = label(replace(bags, vectors=turned, maker=maker))
    # A turn rounds differently, which exchanges a neighbour here and there.
    assert np.mean(np.abs(first.label - again.label) > 1e-6) < 0.01
    assert np.mean(np.abs(first.label - label(bags).label) > 1e-6) > 0.02
    assert len(first.facts["graphs"]) == 2


def test_parts_split_each_field_and_lone_cells_go_as_the_source_sends_them():
    site = np.r_[np.repeat(np.arange(200), 7), 200 + np.arange(4000)]
    part = inside_fields(site, 3, np.random.default_rng(0))
    counts = np.stack([np.bincount(site[:1400], part[:1400] == k) for k in range(3)])
    assert counts.min() == 2
    assert counts.max() == 3
    shares = np.bincount(part[1400:], minlength=3) / 4000
    assert shares == pytest.approx([0.15, 0.35, 0.5], abs=0.03)


def test_vectors_that_are_all_the_same_are_refused_with_the_reason():
    bags = _bags()
    bags.vectors[:] = 0.25
    with pytest.raises(PreflightError, match="vectors of all 180 cells are the same"):
        graph.build()(bags)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_cells_than_neighbours_and_a_class_without_positives(method):
    bags = _bags(fields=4, each=3)
    bags.field_labels[:, 3] = False
    found = graph.build(method, neighbours=200, restricted=False)(bags)
    assert _reasons(found) == {"supported": 12}
    assert found.label[:, 3].max() < 1e-6


def test_a_few_cells_or_none_keep_what_they_had():
    for each in (0, 1, 2):
        bags = _bags(fields=1, each=max(each, 1))
        some = slice(0, each)
        bags = replace(
            bags, site=bags.site[some], vectors=bags.vectors[some], border=bags.border[some],
            tiny=bags.tiny[some],
        )  # fmt: skip
        found = graph.build()(bags)
        assert np.array_equal(found.label, bags.inherited)
        assert set(found.reason) <= {"apart"}


@pytest.mark.parametrize("method", METHODS)
def test_parts_of_a_graph_that_have_no_function_keep_what_they_had(method):
    bags = _bags(fields=40, each=10)
    # 40 islands, each with its own field, and room for 12 of them.
    bags.vectors[:] = 1e3 * np.random.default_rng(0).normal(size=(40, 256))[bags.site]
    bags.vectors[:] += np.random.default_rng(1).normal(size=bags.vectors.shape)
    found = graph.build(method, neighbours=4, functions=12, folds=1)(bags)
    assert found.facts["graphs"][0]["components"] >= 40
    reasons = _reasons(found)
    assert reasons["apart"] == found.facts["graphs"][0]["cells_apart"]
    assert 0 < reasons["supported"] <= 200
    apart = np.array(found.reason) == "apart"
    assert np.array_equal(found.label[apart], bags.inherited[apart])


def test_all_cells_of_one_group_hear_each_other():
    bags = _bags(fields=5)
    found = graph.build()(replace(bags, group=np.zeros(30, np.int64)))
    assert set(found.reason) == {"supported"}
    assert found.label.any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "difusion"}, "diffusion"),
        ({"cut": "fields"}, "field"),
        ({"neighbours": 0}, "neighbours is at least 1"),
        ({"reach": 1.0}, "reach"),
        ({"slack": -0.1}, "not negative"),
        ({"folds": 0}, "folds is at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(options, said):
    with pytest.raises(BadOption, match=said):
        graph.build(**options)
