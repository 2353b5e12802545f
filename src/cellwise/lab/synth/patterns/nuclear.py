"""Patterns inside the nucleus: nucleoplasm, nucleoli, fibrillar centres, speckles, bodies."""

import numpy as np

from cellwise.lab.synth.landmarks import Landmarks
from cellwise.lab.synth.patterns.drawn import Drawn
from cellwise.lab.synth.texture import Plane


def nucleoplasm(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The nucleus without its nucleoli, smooth; some proteins leave a little in the cytosol."""
    window = landmarks.window
    leak, mottle = look.uniform(0.0, 0.08), look.uniform(0.06, 0.2)
    grain = 1 + mottle * window.grain(1.0, rng=rng)
    hole = 1 - look.uniform(0.6, 0.95) * landmarks.nucleolar
    dome = np.minimum(0.6 + window.depth / 2.5, 1.0)
    elsewhere = leak * window.height * window.cytoplasm
    return Drawn(window.nucleus * hole * grain * dome, elsewhere)


def nucleoli(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The 1-5 dark holes of the blue stain, filled."""
    window = landmarks.window
    around = look.uniform(0.02, 0.15)
    grain = 1 + 0.12 * window.grain(0.6, rng=rng)
    elsewhere = around * window.nucleus * (1 - landmarks.nucleolar) + _diffuse(landmarks, look)
    return Drawn(landmarks.nucleolar * grain, elsewhere)


def fibrillar_centre(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """3-15 points of radius .15-.3 inside the nucleoli: smaller than class 2, same place."""
    window = landmarks.window
    filling, around = look.uniform(0.05, 0.3), look.uniform(0.02, 0.15)
    count = window.many(rng.integers(3, 16))
    y, x = window.scatter(landmarks.nucleolar > 0.7, count, rng=rng)
    points = window.spots(
        (y, x),
        radii=rng.uniform(0.15, 0.3, len(y)),
        heights=rng.uniform(1.5, 3.0, len(y)),
    )
    elsewhere = filling * landmarks.nucleolar + around * window.nucleus + _diffuse(landmarks, look)
    return Drawn(points, elsewhere, brilliance=1.6)


def speckles(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """20-50 irregular blobs of radius .3-.9 in the nucleoplasm, away from the nucleoli."""
    window = landmarks.window
    around = look.uniform(0.08, 0.3)
    count = window.many(rng.integers(20, 51))
    free = (window.depth > 0.5) & (landmarks.nucleolar < 0.05)
    y, x = window.scatter(free, count, rng=rng)
    radii = rng.uniform(0.3, 0.9, len(y)) * rng.uniform(0.6, 1.0, len(y))
    # Three overlapping lobes make a blob that is not round.
    lobes = 3
    turn = rng.uniform(0, 2 * np.pi, (lobes, len(y)))
    out = 0.7 * radii * rng.random((lobes, len(y)))
    blobs = window.spots(
        ((y + out * np.sin(turn)).ravel(), (x + out * np.cos(turn)).ravel()),
        radii=np.tile(0.75 * radii, lobes),
        heights=np.tile(rng.uniform(0.4, 0.8, len(y)), lobes),
    )
    blobs = np.tanh(blobs) * (1 - 0.9 * landmarks.nucleolar)
    elsewhere = _around(landmarks, around) + _diffuse(landmarks, look)
    return Drawn(blobs * window.nucleus, elsewhere)


def bodies(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """2-15 round spots of radius .2-.5, anywhere in the nucleoplasm; class 4 has larger ones."""
    window = landmarks.window
    around = look.uniform(0.05, 0.35)
    usual = look.integers(2, 16)
    count = window.many(np.clip(rng.poisson(usual), 2, 15))
    free = (window.depth > 0.6) & (landmarks.nucleolar < 0.3)
    y, x = window.scatter(free, count, rng=rng)
    points = window.spots(
        (y, x),
        radii=rng.uniform(0.2, 0.5, len(y)),
        heights=rng.uniform(0.9, 1.8, len(y)),
    )
    elsewhere = _around(landmarks, around) + _diffuse(landmarks, look)
    return Drawn(points * window.nucleus, elsewhere)


def _around(landmarks: Landmarks, brightness: float) -> Plane:
    """What is not in spots: the nucleoplasm, hardly the nucleoli."""
    base = landmarks.window.nucleus * (1 - 0.75 * landmarks.nucleolar)
    return np.asarray(brightness * base, np.float32)


def _diffuse(landmarks: Landmarks, look: np.random.Generator) -> Plane:
    """The little that a nuclear antibody leaves in the cytosol."""
    window = landmarks.window
    return np.asarray(look.uniform(0.0, 0.06) * window.height * window.cytoplasm, np.float32)
