"""Patterns of organelles in the cytoplasm: reticulum, Golgi, centrosome, mitochondria, vesicles."""

import numpy as np

from cellwise.lab.synth.landmarks import Landmarks
from cellwise.lab.synth.patterns.drawn import Drawn
from cellwise.lab.synth.texture import Plane


def reticulum(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The yellow stain's net, unevenly filled, continuous with the nuclear rim."""
    window = landmarks.window
    own, free = look.uniform(0.2, 0.6), look.uniform(0.0, 0.12)
    net = 1 - own + 2 * own * window.mesh(0.7, rng=rng)
    return Drawn(landmarks.reticulum * net, free * window.height * window.cytoplasm)


def golgi(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """A ribbon of 5-30 fragments in one sector beside the nucleus, at the organising centre."""
    window = landmarks.window
    spread, free = look.uniform(0.3, 0.9), look.uniform(0.01, 0.1)
    count = window.many(rng.integers(5, 31))
    along = rng.normal(0, 0.6, count) * spread
    wave = 0.08 * np.sin(3 * along + rng.uniform(0, 6.28))
    out = 0.14 + wave + rng.normal(0, 0.05, count)
    y, x = window.place(np.clip(out, 0.03, 0.6), window.mtoc_angle + along)
    # Each fragment is a short piece of ribbon: three spots in a row.
    tilt = window.mtoc_angle + np.pi / 2 + along + rng.normal(0, 0.7, count)
    radii = rng.uniform(0.3, 0.8, count) * 0.75
    step = np.array([-1.0, 0.0, 1.0])[:, None] * radii
    rows, columns = (y + step * np.sin(tilt)).ravel(), (x + step * np.cos(tilt)).ravel()
    heights = np.tile(rng.uniform(0.4, 1.0, count), 3) * window.holds(rows, columns)
    ribbon = window.spots(
        (rows, columns),
        radii=np.tile(radii, 3),
        heights=heights,
    )
    elsewhere = free * window.height * window.cytoplasm
    return Drawn(1.5 * np.tanh(ribbon / 1.5) * window.cytoplasm, elsewhere)


def centrosome(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """1-2 points of radius .2-.3 at the organising centre; two once the centrosome has doubled."""
    window = landmarks.window
    free = look.uniform(0.01, 0.1)
    count = 2 if rng.random() < 0.25 + 0.6 * (window.cell.phase > 0.5) else 1
    angle = rng.uniform(0, 2 * np.pi)
    gap = rng.uniform(0.5, 1.4) / 2 * (np.arange(count) * 2 - (count - 1))
    y, x = (window.cell.mtoc[0] + gap * np.sin(angle), window.cell.mtoc[1] + gap * np.cos(angle))
    points = window.spots(
        (y, x),
        radii=rng.uniform(0.2, 0.3, count),
        heights=rng.uniform(0.8, 1.2, count),
    )
    elsewhere = free * window.height * (window.cytoplasm + 0.6 * window.nucleus)
    return Drawn(points, elsewhere, brilliance=2.5)


def mitochondria(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """30-150 tubes .3-.5 wide and 1-5 long, more of them near the nucleus."""
    window = landmarks.window
    longest, free = look.uniform(2.0, 5.0), look.uniform(0.03, 0.2)
    count = window.many(rng.integers(30, 151))
    out = rng.beta(1.1, 2.4, (count, 1)) * 0.95 + 0.03
    start = window.place(out, rng.uniform(0, 2 * np.pi, (count, 1)))
    length = rng.uniform(1.0, longest, (count, 1))
    time = np.linspace(0, 1, window.steps(longest))[None, :]
    # Tubes lie rather along the rays from the nucleus, and bend once.
    ray = np.arctan2(start[0] - window.centre[0], start[1] - window.centre[1])
    heading = ray + rng.normal(0, 0.9, (count, 1)) + rng.normal(0, 1.3, (count, 1)) * time
    pace = length / time.shape[1]
    lines = (
        start[0] + np.cumsum(pace * np.sin(heading), axis=1),
        start[1] + np.cumsum(pace * np.cos(heading), axis=1),
    )
    width = look.uniform(0.3, 0.5)
    outside = ~window.lookup(window.cell.nucleus, *lines)
    tubes = window.strokes(lines, width=width, weights=outside * rng.uniform(0.5, 1.0, (count, 1)))
    elsewhere = free * window.height * window.cytoplasm
    return Drawn(1.3 * np.tanh(tubes / 1.3) * window.cytoplasm, elsewhere)


def aggresome(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """One blob of radius 1-2.5 beside the organising centre that dents the nucleus."""
    window = landmarks.window
    free = look.uniform(0.02, 0.2)
    blob = aggresome_blob(landmarks, rng)
    uneven = 1 + 0.12 * window.grain(0.8, rng=rng)
    return Drawn(blob * uneven, free * window.height * window.cytoplasm)


def aggresome_blob(landmarks: Landmarks, rng: np.random.Generator) -> Plane:
    """Where the blob lies, 0..1; the chromatin gives way to it. First draws of the stream."""
    window = landmarks.window
    radius = rng.uniform(1.0, 2.5)
    # On the rim: about half of the blob lies where the nucleus was.
    rim = float(window.cell.nucleus_outline.rim(np.array([window.mtoc_angle]))[0])
    distance = rim + rng.uniform(-0.3, 0.4) * radius
    y = window.centre[0] + distance * np.sin(window.mtoc_angle)
    x = window.centre[1] + distance * np.cos(window.mtoc_angle)
    turn, out = rng.uniform(0, 2 * np.pi, 3), 0.3 * radius * rng.random(3)
    lobes = window.spots(
        (y + out * np.sin(turn), x + out * np.cos(turn)),
        radii=np.full(3, 0.95 * radius),
        heights=np.full(3, 0.8),
    )
    return np.asarray(np.clip(1.6 * lobes - 0.6, 0, 1) * window.body, np.float32)


def vesicles(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """20-200 points of radius .1-.5 in the cytoplasm, everywhere or on one side."""
    window = landmarks.window
    free, usual, large = look.uniform(0.02, 0.2), look.uniform(20, 200), look.uniform(0.2, 0.5)
    polarised = look.random() < 0.35
    count = window.many(np.clip(usual * np.exp(0.3 * rng.standard_normal()), 20, 200))
    if polarised:
        angle = window.mtoc_angle + rng.normal(0, 0.8, count)
        y, x = window.place(rng.beta(1.2, 1.8, count), angle)
    else:
        y, x = window.scatter(window.cytoplasm > 0, count, rng=rng)
    points = window.spots(
        (y, x),
        radii=rng.uniform(0.1, large, len(y)),
        heights=np.exp(0.4 * rng.standard_normal(len(y))),
    )
    return Drawn(points * window.cytoplasm, free * window.height * window.cytoplasm)
