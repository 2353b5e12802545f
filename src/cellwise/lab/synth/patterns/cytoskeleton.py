"""Fibrous patterns: intermediate filaments, actin, microtubules."""

import numpy as np

from cellwise.lab.synth.landmarks import Landmarks, draw_filaments
from cellwise.lab.synth.patterns.drawn import Drawn


def intermediate_filaments(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """Dense wavy bundles in a cage around the nucleus, thinning outwards."""
    window = landmarks.window
    reach = look.uniform(0.5, 1.0)
    count = window.many(rng.integers(40, 81))
    time = np.linspace(0, 1, window.steps(30.0))[None, :]
    out = reach * rng.beta(1.0, 2.2, (count, 1))
    angle = rng.uniform(0, 2 * np.pi, (count, 1)) + rng.normal(0, 1.4, (count, 1)) * time
    rise = rng.normal(0, 0.18, (count, 1)) * time
    # Neighbouring bundles wave together: phases come from place, not from chance alone.
    phase = 3 * out / reach + rng.normal(0, 0.5, (count, 1))
    wave = 0.07 * np.sin(2 * np.pi * (2.0 * time + phase))
    lines = window.place(np.abs(out + rise + wave) + 0.01, angle + 0.5 * wave)
    bundles = window.strokes(
        lines, width=0.45, weights=rng.uniform(0.3, 1.0, (count, 1)) + 0 * time
    )
    diffuse = (0.25 * np.exp(-window.away / 3.0) + 0.06) * window.height * window.cytoplasm
    net = 0.75 + 0.5 * window.mesh(0.9, rng=rng)
    return Drawn(1.6 * np.tanh(bundles / 1.6) * net, diffuse)


def actin(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Parallel straight stress fibres along the cell, and a rim under its edge."""
    window = landmarks.window
    rim_share, free = look.uniform(0.3, 1.0), look.uniform(0.05, 0.15)
    count = window.many(rng.integers(10, 26))
    outline = window.cell.cell_outline
    angle = outline.angle + rng.normal(0, 0.2) + rng.normal(0, 0.05, (count, 1))
    offset = outline.radius * np.sort(rng.uniform(-1.05, 1.05, count))[:, None]
    length = outline.radius * rng.uniform(0.8, 2.2, (count, 1))
    shift = outline.radius * rng.uniform(-0.7, 0.7, (count, 1))
    way = shift + length * (np.linspace(0, 1, window.steps(2.2 * outline.radius))[None, :] - 0.5)
    sine, cosine = np.sin(angle), np.cos(angle)
    lines = (
        outline.centre[0] + way * sine + offset * np.cos(outline.angle),
        outline.centre[1] + way * cosine - offset * np.sin(outline.angle),
    )
    fibres = window.strokes(lines, width=0.4, weights=rng.uniform(0.4, 1.0, (count, 1)) + 0 * way)
    rim = np.exp(-0.5 * np.square(window.edge / max(0.45, 0.5 * window.pixel_size)))
    rim = rim * np.maximum(1 + 0.3 * window.grain(2.5, rng=rng), 0.2) * window.body
    return Drawn(fibres + rim_share * rim, free * window.height)


def microtubules(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """The red filaments, decorated unevenly, some that red missed, and diffuse light of its own."""
    window = landmarks.window
    free, patchy, own = look.uniform(0.05, 0.2), look.uniform(0.2, 0.5), look.integers(12, 29)
    decorated = np.maximum(1 + patchy * window.grain(1.5, rng=rng), 0.1)
    missed = draw_filaments(window, int(own), rng=rng)
    diffuse = window.height * (window.cytoplasm + 0.4 * window.nucleus)
    mottle = 1 + 0.15 * window.grain(0.8, rng=rng)
    return Drawn(landmarks.filaments * decorated + missed, free * diffuse * mottle)
