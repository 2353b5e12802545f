"""What each cell of a protein shows, and what of it is true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.lab.synth.hpa.label_annotator import Verdict
from cellwise.lab.synth.hpa.label_sets import AGGRESOME, CLASSES, NEGATIVE, SPINDLE
from cellwise.lab.synth.hpa.protein import (
    LEAST_SHARE,
    LEAST_SNR,
    draw_cells,
    draw_protein,
    images_with,
    snr,
)
from cellwise.lab.synth.severity import CONTROL, SEVERITIES

DEFAULT, HARD = SEVERITIES["default"], SEVERITIES["hard"]


def verdict(*labels):
    return Verdict(labels or (NEGATIVE,), labels, (), ())


def make(labels, severity=DEFAULT, count=400, seed=0):
    rng = np.random.default_rng(seed)
    protein = draw_protein(verdict(*labels), severity, gain=1.0, rng=rng)
    return protein, draw_cells(protein, count, severity, rng)


def test_the_signal_to_noise_ratio_by_hand():
    """9 photons with 4 electrons of read-out: 9 / sqrt(9 + 16)."""
    assert snr(np.array([9.0]), 4.0)[0] == pytest.approx(9 / 5)


@given(
    st.lists(st.integers(0, 17), min_size=1, max_size=4, unique=True),
    st.sampled_from([DEFAULT, HARD]),
    st.integers(0, 1000),
)
def test_truth_is_a_tenth_of_the_density_above_the_noise(labels, severity, seed):
    """A slow re-computation, cell by cell."""
    protein, cells = make(tuple(sorted(labels)), severity, count=12, seed=seed)
    for n in range(12):
        for k in range(NEGATIVE):
            share = cells.weights[n, k]
            signal = protein.photons * protein.gain * cells.intensity[n] * share
            ratio = signal / (signal + protein.read_noise**2) ** 0.5
            assert cells.shown[n, k] == (share >= LEAST_SHARE and ratio >= LEAST_SNR)
    assert not cells.shown[:, NEGATIVE].any()
    drawn = cells.weights.sum(1)
    assert np.all(np.isclose(drawn, 1) | (drawn == 0))


@given(st.integers(0, 1000))
def test_only_dividing_cells_show_a_spindle_and_all_of_them_do(seed):
    _, cells = make((SPINDLE, 16), seed=seed)
    drawn = cells.weights[:, SPINDLE] > 0
    assert np.array_equal(drawn, cells.mitotic & ~cells.unstained)
    assert cells.phase[cells.mitotic].min(initial=1) >= cells.phase[~cells.mitotic].max(initial=0)


def test_unstained_cells_show_nothing():
    _, cells = make((0, 16), replace(DEFAULT, unstained=0.5))
    assert 150 < cells.unstained.sum() < 250
    assert not cells.weights[cells.unstained].any()
    assert not cells.shown[cells.unstained].any()


@pytest.mark.parametrize(
    ("label", "severity", "mean"),
    [
        (7, replace(DEFAULT, scv=0.0), 0.9),
        (7, replace(DEFAULT, scv=1.0), 1.5 / 3.5),
        (AGGRESOME, DEFAULT, 0.2),
        (SPINDLE, DEFAULT, 2 / 62),
    ],
    ids=["ubiquitous", "variable", "aggresome", "spindle"],
)
def test_modes_have_the_mean_presence_of_their_beta(label, severity, mean):
    rng = np.random.default_rng(3)
    proteins = [
        draw_protein(verdict(label), severity, gain=1.0, rng=rng).presence[0] for _ in range(800)
    ]
    assert np.mean(proteins) == pytest.approx(mean, rel=0.06)


def test_labels_of_a_protein_vary_together_along_the_cell_cycle():
    """Two labels that like the same phase are shown by the same cells more often than chance."""
    severity = replace(DEFAULT, cycle=1.0, unstained=0.0, faint=0.0)
    protein, _ = make((4, 7), severity)
    alike = replace(
        protein,
        presence=np.array([0.5, 0.5]),
        preferred=np.array([0.3, 0.3]),
        photons=400.0,
        brightness=2.0,
    )
    cells = draw_cells(alike, 2000, replace(severity, concentration=50.0), np.random.default_rng(0))
    assert np.array_equal(cells.shown[:, 4], cells.shown[:, 7])
    assert 0.46 < cells.shown[:, 4].mean() < 0.54
    apart = replace(alike, preferred=np.array([0.0, 0.5]))
    cells = draw_cells(apart, 2000, severity, np.random.default_rng(0))
    assert not (cells.shown[:, 4] & cells.shown[:, 7]).any()


def test_hard_cells_show_one_or_two_labels_and_one_dominates():
    protein, cells = make((7, 12, 15, 17), replace(HARD, unstained=0.0, faint=0.0), count=4000)
    many = (cells.weights > 0).sum(1)
    assert set(many) == {1, 2}
    assert (many == 2).mean() == pytest.approx(HARD.second, abs=0.03)
    assert HARD.dominant[0] <= protein.presence.max() <= HARD.dominant[1]
    assert protein.presence.sum() == pytest.approx(1)


def test_a_hard_spindle_is_a_state_of_its_own():
    protein, cells = make((11, 12, 16), replace(HARD, unstained=0.0, faint=0.0), count=4000)
    share = protein.presence[0]
    assert cells.mitotic.mean() == pytest.approx(share, abs=0.03)
    assert np.array_equal(cells.weights[:, SPINDLE] > 0, cells.mitotic)
    assert share < protein.presence.max()


@given(st.integers(0, 500))
def test_a_protein_without_labels_is_never_true(seed):
    _, cells = make((), seed=seed, count=30)
    assert not cells.shown.any()
    assert cells.weights.sum(1) == pytest.approx(1)


def test_the_control_shows_every_label_in_every_cell():
    for labels in ((0, 2, 5, 13), (11, 16)):
        _, cells = make(labels, CONTROL)
        expected = np.zeros(CLASSES, bool)
        expected[list(labels)] = True
        assert np.array_equal(cells.shown, np.tile(expected, (400, 1)))


def test_faint_classes_are_drawn_and_not_true():
    _, cells = make((16,), replace(DEFAULT, faint=1.0))
    faint = (cells.weights > 0) & (cells.weights < LEAST_SHARE)
    assert faint.any(1).mean() > 0.8
    assert not (cells.shown & faint).any()


def test_an_image_shows_a_class_in_a_twentieth_of_its_cells_and_in_one():
    shown = np.zeros((3 + 40 + 40, 2), bool)
    shown[0, 0] = True
    shown[3, 0] = True
    shown[43:45, 0] = True
    seen = images_with(shown, (3, 40, 40))
    assert seen[:, 0].tolist() == [True, False, True]
    assert not seen[:, 1].any()
