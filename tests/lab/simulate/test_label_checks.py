"""The acceptance of the label model passes on it, and fails for the right reason on broken ones."""

from dataclasses import replace

import numpy as np
import pytest

from cellwise.lab.simulate.label_checks import Check, check_labels, expected_error, ratio, tally
from cellwise.lab.synth.hpa.label_sets import NEGATIVE, LabelSets
from cellwise.lab.synth.hpa.labels import draw_samples, make_label_model
from cellwise.lab.synth.severity import SEVERITIES

DEFAULT = SEVERITIES["default"]
IMAGES = 3000


def failed(severity=DEFAULT, *, side_um=163.84, sets=None, images=IMAGES, judged_um=None):
    model = make_label_model(5, severity, side_um=side_um)
    if sets is not None:
        model = replace(model, sets=sets)
    samples = draw_samples(model, images=images)
    checks = check_labels(samples, side_um=judged_um or side_um)
    return [check.name for check in checks if not check.ok]


def test_the_default_model_passes():
    assert failed() == []


def test_small_fields_pass_too_with_as_many_cells_as_their_area():
    names = failed(side_um=81.92)
    assert not [name for name in names if not name.startswith("precision")]


def test_a_check_has_bounds_on_both_sides():
    assert Check("x", 1.0, 1.0, 2.0, 3).ok
    assert not Check("x", 2.1, 1.0, 2.0, 3).ok
    assert not Check("x", float("nan"), 1.0, 2.0, 3).ok


def test_the_error_of_a_ratio_by_hand():
    """Two samples of 2 and 2 images, 2 and 0 of them positive: half, off by 1 and 1, of 4."""
    value, error = ratio(np.array([2.0, 0.0]), np.array([2.0, 2.0]))
    assert value == 0.5
    assert error == pytest.approx(np.sqrt(2) / 4)
    assert expected_error(0.5, np.array([1.0, 1.0])) == pytest.approx(0.5 * np.sqrt(2) / 2)


def test_labels_that_vary_too_much_are_found():
    names = failed(replace(DEFAULT, scv=0.8))
    assert "precision of inherited labels: Nucleoplasm" in names
    assert not [name for name in names if name.startswith(("share", "lift"))]


def test_too_many_false_labels_are_found():
    assert "false labels per given label" in failed(replace(DEFAULT, false_adds=0.08))


def test_an_annotator_who_misses_nothing_is_found():
    severity = replace(DEFAULT, miss=(0.0, 0.0), miss_spindle=0.0)
    assert "missed labels" in failed(severity)


def test_sets_drawn_alike_are_found():
    sets = make_label_model(5, DEFAULT, side_um=163.84).sets
    flat = LabelSets(sets.sets, np.full(len(sets.sets), 1 / len(sets.sets)))
    names = failed(sets=flat)
    assert "share of images: Nuclear membrane" in names
    assert "share of images: 1 labels" in names
    assert "share of images: set 0|16" in names


def test_a_negative_beside_another_label_is_found():
    samples = draw_samples(make_label_model(5, DEFAULT, side_um=163.84), images=200)
    mixed = replace(samples[0].verdict, given=(0, NEGATIVE))
    samples[0] = replace(samples[0], verdict=mixed)
    names = [check.name for check in check_labels(samples) if not check.ok]
    assert "samples with Negative beside another label" in names


def test_fields_of_another_size_are_found():
    assert "cells per field, mean" in failed(side_um=120.0, judged_um=163.84)


def test_too_many_images_per_sample_are_found():
    severity = replace(DEFAULT, images=(0.0,) * 6 + (1.0,))
    assert "most images of a sample" in failed(severity, images=300)


def test_the_tally_counts_by_hand():
    samples = draw_samples(make_label_model(5, DEFAULT, side_um=81.92), images=20)
    drawn = tally(samples)
    for row, sample in enumerate(samples):
        assert drawn.images[row] == len(sample.counts)
        assert drawn.cells[row] == len(sample.cells.shown) == sum(sample.counts)
        assert set(np.flatnonzero(drawn.given[row])) == set(sample.verdict.given)
        empty = sum(not shown.any() for shown in sample.cells.shown)
        assert drawn.shown[row, NEGATIVE] == empty
