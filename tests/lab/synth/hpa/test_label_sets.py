"""The sets of labels have the counts of the challenge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.lab.synth.hpa.label_families import FAMILIES, dominance, family_sets
from cellwise.lab.synth.hpa.label_sets import (
    FREQUENT,
    IMAGES,
    LIFTS,
    NEGATIVE,
    PER_CLASS,
    PER_SIZE,
    LabelSets,
    empirical_sets,
)


def test_the_tables_agree_with_each_other():
    """Labels counted by class, and by size of the set; two images of five count as four."""
    assert sum(PER_SIZE.values()) == IMAGES
    assert sum(size * n for size, n in PER_SIZE.items()) == sum(PER_CLASS) - 2


def test_every_known_count_is_met_at_once():
    sets = empirical_sets()
    assert sets.shares.sum() == pytest.approx(1)
    assert sets.class_shares() == pytest.approx(np.array(PER_CLASS) / IMAGES, rel=1e-3)
    sizes = np.array([len(labels) for labels in sets.sets])
    for size, count in PER_SIZE.items():
        assert sets.shares[sizes == size].sum() == pytest.approx(count / IMAGES, rel=1e-3)
    for labels, count in FREQUENT.items():
        number = sets.number_of(labels)
        assert sets.shares[number] == pytest.approx(count / IMAGES, rel=1e-3)
    for (a, b), lift in LIFTS.items():
        assert sets.lifts()[a, b] == pytest.approx(lift, rel=2e-3)


def test_there_are_as_many_kinds_of_sets_as_in_the_challenge():
    sets = empirical_sets().sets
    assert len(sets) == len(set(sets)) == 386
    assert [labels for labels in sets if NEGATIVE in labels] == [(NEGATIVE,)]


def test_shares_of_pairs_counted_by_hand():
    sets = LabelSets(((0,), (0, 1), (1, 2)), np.array([0.5, 0.3, 0.2]))
    assert sets.class_shares()[:3] == pytest.approx([0.8, 0.5, 0.2])
    assert sets.pair_shares()[0, 1] == pytest.approx(0.3)
    assert sets.lifts()[0, 1] == pytest.approx(0.3 / (0.8 * 0.5))
    assert sets.lifts()[0, 0] == 0


def test_sets_that_hold_a_label_keep_their_proportions():
    sets = LabelSets(((0,), (0, 1), (1, 2)), np.array([0.5, 0.3, 0.2])).given(1)
    assert sets.sets == ((0, 1), (1, 2))
    assert sets.shares == pytest.approx([0.6, 0.4])


@given(st.floats(0, 1, exclude_max=True))
def test_a_place_falls_into_the_set_whose_share_covers_it(place):
    sets = LabelSets(((0,), (0, 1), (1, 2)), np.array([0.5, 0.3, 0.2]))
    expected = (0,) if place < 0.5 else (0, 1) if place < 0.8 else (1, 2)
    assert sets.at(place) == expected


def test_families_have_three_to_five_labels_and_use_every_class():
    sets = [labels for family in FAMILIES.values() for labels in family]
    assert {len(labels) for labels in sets} == {3, 4, 5}
    uses = [sum(k in labels for labels in sets) for k in range(NEGATIVE)]
    assert min(uses) >= 4
    assert max(uses) <= 8
    assert family_sets().shares.sum() == pytest.approx(1)


def test_in_families_most_classes_have_a_constant_companion():
    """What makes them hard: beside most classes one other stands in over half of their sets."""
    pairs = family_sets().pair_shares()
    single = family_sets().class_shares()
    np.fill_diagonal(pairs, 0)
    companion = (pairs / np.maximum(single, 1e-9)[:, None]).max(1)[:NEGATIVE]
    assert np.median(companion) >= 0.6
    assert companion.min() >= 0.35


def test_the_spindle_never_dominates():
    assert dominance(11) == 0
    assert dominance(0) == max(dominance(k) for k in range(NEGATIVE))
