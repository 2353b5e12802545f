"""Reference stains: where they lie, holes in the chromatin, the spindle across the plate."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from tests.lab.synth.made_cells import landmarks, windows

from cellwise.lab.synth.landmarks import blue, draw_landmarks, red, yellow
from cellwise.lab.synth.randomness import generator


@pytest.fixture(scope="module")
def resting():
    return landmarks(12)


@pytest.fixture(scope="module")
def dividing():
    return landmarks(8, mitotic=True)


def share(plane, mask):
    return plane[mask].sum() / plane.sum()


def stream():
    return generator(0, "stain")


def test_every_stain_stays_in_its_cell(resting, dividing):
    for made in resting + dividing:
        mask = made.window.cell.mask
        for stain in (red(made, rng=stream()), yellow(made, rng=stream())):
            assert stain.min() >= 0
            # A line is a third of a micrometre wide and may end on the edge.
            assert share(stain, mask) > 0.98
        assert share(blue(made, dent=None, rng=stream()), made.window.cell.nucleus) > 0.9999


def test_chromatin_has_dark_holes_where_nucleoli_are(resting):
    for made in resting:
        plane = blue(made, dent=None, rng=stream())
        hole = made.nucleolar > 0.9
        rest = made.window.cell.nucleus & (made.nucleolar == 0) & (made.window.depth > 0.8)
        assert 1 <= len(made.nucleoli) <= 5
        assert plane[hole].mean() < 0.65 * plane[rest].mean()


def test_nucleoli_have_the_size_of_the_table(resting):
    radii = [one.radius for made in resting for one in made.nucleoli]
    assert min(radii) >= 0.69
    assert max(radii) <= 1.6
    for made in resting:
        area = made.nucleolar.sum() * 0.32**2
        expected = sum(np.pi * one.radius**2 for one in made.nucleoli)
        assert area == pytest.approx(expected, rel=0.3)


def test_microtubules_start_at_the_organising_centre(resting):
    """Light per area within 2 micrometres of it is above the cytoplasm's in nearly all cells."""
    denser = []
    for made in resting:
        window = made.window
        y, x = np.indices(window.shape) * 0.32
        near = np.hypot(y - window.cell.mtoc[0], x - window.cell.mtoc[1]) < 2
        cytoplasm = window.cell.mask & ~window.cell.nucleus
        plane = made.filaments
        denser.append(plane[near & cytoplasm].mean() > plane[cytoplasm].mean())
    assert np.mean(denser) > 0.9


def test_the_reticulum_fades_away_from_the_nucleus(resting):
    for made in resting:
        plane = yellow(made, rng=stream())
        away = distance_transform_edt(~made.window.cell.nucleus) * 0.32
        cytoplasm = made.window.cell.mask & ~made.window.cell.nucleus
        near, far = (plane[cytoplasm & band].mean() for band in (away < 3, away > 5))
        assert near > 1.2 * far
        assert plane[made.window.depth > 1].mean() < 0.5 * near


def test_chromatin_gets_brighter_through_the_cell_cycle(resting):
    sums = [
        blue(made, dent=None, rng=stream()).sum() / made.window.cell.nucleus.sum()
        for made in resting
    ]
    phases = [made.window.cell.phase for made in resting]
    assert np.corrcoef(sums, phases)[0, 1] > 0.8


def test_a_dent_pushes_the_chromatin_aside(resting):
    made = resting[0]
    dent = (made.window.depth > 1).astype(np.float32)
    assert not blue(made, dent=dent, rng=stream())[dent > 0].any()


def test_poles_stand_6_to_10_apart_across_the_plate(dividing):
    for made in dividing:
        first, second = map(np.array, made.spindle.poles)
        axis = second - first
        assert 6 - 1e-9 <= np.hypot(*axis) <= 10 + 1e-9
        y, x = np.nonzero(made.window.cell.nucleus)
        values, vectors = np.linalg.eigh(np.cov(y, x))
        plate = vectors[:, values.argmax()]
        assert abs(plate @ axis) / np.hypot(*axis) < 0.2
        middle = np.array([y.mean(), x.mean()]) * 0.32
        assert np.hypot(*((first + second) / 2 - middle)) < 0.7


def test_red_is_the_spindle_in_a_dividing_cell(dividing):
    """Fibres run between the poles: most light above the diffuse part lies in their ellipse."""
    for made in dividing:
        plane = made.filaments
        first, second = map(np.array, made.spindle.poles)
        y, x = np.indices(plane.shape) * 0.32
        half = np.hypot(*(second - first)) / 2
        along = (second - first) / (2 * half)
        dy, dx = y - (first + second)[0] / 2, x - (first + second)[1] / 2
        between = np.abs(dy * along[0] + dx * along[1]) < half + 0.8
        assert share(plane, between & made.window.cell.mask) > 0.75


def test_a_dividing_cell_has_no_nucleoli_and_a_bright_plate(resting, dividing):
    usual = np.median([blue(m, dent=None, rng=stream()).max() for m in resting])
    for made in dividing:
        assert made.nucleoli == ()
        plate = blue(made, dent=None, rng=stream())
        assert plate[made.window.cell.nucleus].mean() > 0.7 * usual


def test_the_reticulum_leaves_the_spindle(dividing):
    for made in dividing:
        plane = yellow(made, rng=stream())
        inside = made.spindle.inside > 0.9
        around = made.window.cell.mask & (made.spindle.inside == 0)
        assert plane[inside].mean() < 0.6 * plane[around].mean()


def test_landmarks_are_the_stream_s_own():
    window = windows(2)[0]
    first, second, other = (
        draw_landmarks(window, rng=generator(seed, "x")).filaments for seed in (1, 1, 2)
    )
    assert (first == second).all()
    assert (first != other).any()
