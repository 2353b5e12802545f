"""The family of foreign worlds: frozen, wide, and drawn without one knob shifting another."""

import hashlib
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.lab.simulate.foreign_checks import check_foreign
from cellwise.lab.synth.foreign import ranges
from cellwise.lab.synth.foreign.card import world_card
from cellwise.lab.synth.foreign.draw import draw_severity
from cellwise.lab.synth.foreign.sets import foreign_sets
from cellwise.lab.synth.hpa.label_sets import NEGATIVE, SPINDLE
from cellwise.lab.synth.hpa.labels import draw_sample, draw_samples, make_label_model
from cellwise.lab.synth.severity import SEVERITIES, digest, severity_named
from cellwise.lab.synth.style import USUAL_LOOK

SIDE_UM = 81.92
FAMILY = "f379a238e09f6494a5c8a5fc8e903c8bae44f82de0c423d76a9e4af7e159dac3"
# Of processors with AVX-512 and of others: an exponential differs in its last digit.
DRAWS = {
    "03124a4ed812c3eebbacfb9e91ee9665e96665b16ea982f1aa564f4c27408ab4",
    "dd82165f1b788fd2e60e2e1871ce86dcdebaa457681ea471014f358a543dd24d",
}


def test_the_ranges_are_those_that_were_frozen():
    """A change here is another family: no figure on it could be compared with an earlier one."""
    assert ranges.family_digest() == FAMILY


def test_a_changed_range_is_another_family(monkeypatch):
    monkeypatch.setitem(ranges.LABELS, "silent", ("even", 0.0, 0.41))
    assert ranges.family_digest() != FAMILY


def test_a_seed_draws_the_labels_that_it_drew_when_the_family_was_frozen():
    seen = hashlib.sha256()
    for seed in (0, 3):
        severity = severity_named("foreign", seed=seed)
        seen.update(digest(severity).encode())
        model = make_label_model(seed, severity, side_um=SIDE_UM)
        for number in range(15):
            sample = draw_sample(model, "train", number)
            seen.update(repr((sample.verdict, sample.counts, sample.line)).encode())
            seen.update(np.packbits(sample.cells.shown).tobytes())
    assert seen.hexdigest() in DRAWS


def test_seeds_are_open_spare_or_sealed():
    assert [ranges.part_of(s) for s in (0, 99, 100, 999, 1000, 54321)] == [
        *("development", "development", "spare", "spare", "sealed", "sealed")
    ]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_every_world_lies_in_the_ranges_and_its_pictures_are_no_usual_ones(seed):
    severity = draw_severity(seed)
    assert severity == draw_severity(seed)
    for name in ("silent", "one_state", "agreement", "presence", "false_adds", "least_cells"):
        _, low, high = ranges.LABELS[name]
        assert low <= getattr(severity, name) <= high
    assert sum(severity.images) == pytest.approx(1)
    assert severity.psf_um[0] <= severity.psf_um[1]
    assert severity.photons[0] < severity.photons[1]
    looks = [severity.style.look(name) for name in (*range(19), "filaments", "chromatin")]
    assert USUAL_LOOK not in looks
    assert len(set(looks)) == len(looks)
    tied = [k for pair in severity.ties for k in pair]
    assert len(set(tied)) == len(tied)
    assert SPINDLE not in tied


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_made_up_sets_hold_every_class_and_negative_stands_alone(seed):
    severity = draw_severity(seed)
    sets = foreign_sets(severity)
    assert sets.shares.sum() == pytest.approx(1)
    assert sets.class_shares()[NEGATIVE] == pytest.approx(severity.negative)
    assert (sets.class_shares()[:NEGATIVE] > 0).all()
    assert all(labels == (NEGATIVE,) or NEGATIVE not in labels for labels in sets.sets)
    assert all(len(set(labels)) == len(labels) <= 5 for labels in sets.sets)


def test_knobs_of_two_seeds_differ_and_no_world_is_one_of_the_fixed_ones():
    worlds = [draw_severity(seed) for seed in range(8)]
    assert len({digest(w) for w in worlds} | {digest(s) for s in SEVERITIES.values()}) == 11
    for name in ("silent", "presence", "miss", "photons", "psf_um", "lines"):
        assert len({str(getattr(world, name)) for world in worlds}) == 8


def test_the_open_seeds_span_worlds_of_none_one_and_several_states():
    """From worlds where nearly each cell shows one label to those where a third shows none."""
    found = []
    for seed in range(8):
        severity = draw_severity(seed)
        samples = draw_samples(make_label_model(seed, severity, side_um=SIDE_UM), images=120)
        assert [c for c in check_foreign(samples, severity, side_um=SIDE_UM) if not c.ok] == []
        count = np.concatenate([s.cells.shown for s in samples]).sum(1)
        found.append([(count == 0).mean(), (count == 1).mean(), (count > 1).mean()])
    none, one, several = np.array(found).T
    assert none.min() < 0.15
    assert none.max() > 0.3
    assert one.max() > 0.75
    assert several.min() == 0
    assert several.max() > 0.25


def test_a_check_of_a_world_fails_where_the_knobs_are_others():
    severity = draw_severity(3)
    samples = draw_samples(make_label_model(3, severity, side_um=SIDE_UM), images=150)
    other = draw_severity(0)
    failed = {c.name for c in check_foreign(samples, other, side_um=SIDE_UM) if not c.ok}
    assert "silent cells of labelled proteins" in failed


def test_a_label_is_given_for_what_enough_images_show_and_negative_for_nothing():
    severity = draw_severity(4)
    model = make_label_model(4, severity, side_um=SIDE_UM)
    for number in range(40):
        sample = draw_sample(model, number)
        shown = set(np.flatnonzero(sample.cells.shown.any(0)))
        given = set(sample.verdict.given) - set(sample.verdict.false)
        assert given <= shown or given == {NEGATIVE}
        assert (given == {NEGATIVE}) <= (not shown or bool(sample.verdict.missed))


def test_the_card_says_the_part_and_every_knob():
    card = world_card(draw_severity(1001))
    assert card["part"] == "sealed"
    assert card["family_digest"] == FAMILY
    assert card["drawn"] == asdict(draw_severity(1001))
