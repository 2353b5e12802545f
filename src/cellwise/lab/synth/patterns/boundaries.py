"""Patterns on a boundary: the rim of the nucleus and the edge of the cell."""

import numpy as np

from cellwise.lab.synth.landmarks import Landmarks
from cellwise.lab.synth.patterns.drawn import Drawn


def nuclear_membrane(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """A rim .3-.5 wide, gently uneven; the membrane above and below gives a faint filling."""
    window = landmarks.window
    width, filling = look.uniform(0.3, 0.5), look.uniform(0.06, 0.22)
    sigma = max(width / 2.355, 0.4 * window.pixel_size)
    signed = window.depth - window.away
    rim = np.exp(-0.5 * np.square(signed / sigma))
    uneven = 1 + 0.2 * window.grain(2.5, rng=rng)
    diffuse = look.uniform(0.0, 0.08) * window.height * window.cytoplasm
    return Drawn(rim * uneven * window.body, filling * window.nucleus + diffuse)


def plasma_membrane(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """The edge .3-.8 wide with ruffles, stronger where cells touch."""
    window = landmarks.window
    width, surface, at_contact = (
        look.uniform(0.3, 0.8),
        look.uniform(0.05, 0.2),
        look.uniform(0.3, 1),
    )
    rim = np.exp(-0.5 * np.square(window.edge / max(0.6 * width, 0.5 * window.pixel_size)))
    uneven = np.maximum(1 + 0.35 * window.grain(3.0, rng=rng), 0.25)
    band = np.exp(-np.square((window.edge - 1.2) / 1.4))
    ruffles = 0.45 * band * window.mesh(1.0, rng=rng) * (1 - window.contact)
    edge = rim * uneven * (1 + at_contact * window.contact)
    sheet = surface * (1 + 0.15 * window.grain(1.0, rng=rng))
    return Drawn((edge + ruffles) * window.body, sheet * window.body)
