"""The stains that every cell shows: microtubules (red), chromatin (blue), reticulum (yellow).

Shapes follow figures 7.3 of the specification and the stains of the Human Protein Atlas (Thul et
al. 2017, Science 356): tubulin, DAPI and calreticulin. A dividing cell is drawn dividing in
each of them.
"""

from dataclasses import dataclass, replace

import numpy as np

from cellwise.lab.synth.outline import Outline, draw_harmonics
from cellwise.lab.synth.spindle import Spindle, draw_spindle
from cellwise.lab.synth.style import USUAL, Look, Style
from cellwise.lab.synth.texture import Numbers, Plane, level
from cellwise.lab.synth.window import Window

# Table 7.3 has 20-60; fewer than 34 leave holes that no real cell has.
_FILAMENTS = (34, 61)


@dataclass(frozen=True, slots=True)
class Nucleolus:
    """One nucleolus: place and radius in micrometres of the window."""

    y: float
    x: float
    radius: float


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What the reference stains and the patterns of one cell share; planes `[y, x]`.

    Args:
        window: The cell.
        nucleoli: Empty in mitosis.
        nucleolar: 1 in nucleoli, 0 elsewhere.
        filaments: The microtubules, brightness 1 at a filament.
        reticulum: The endoplasmic reticulum, 1 at its densest.
        spindle: Poles and fibres; None in interphase.
    """

    window: Window
    nucleoli: tuple[Nucleolus, ...]
    nucleolar: Plane
    filaments: Plane
    reticulum: Plane
    spindle: Spindle | None
    style: Style = USUAL

    def looking(self, look: Look) -> "Landmarks":
        """The same landmarks, for a pattern that is drawn with this look."""
        window = self.window.looking(look)
        return self if window is self.window else replace(self, window=window)


def draw_landmarks(window: Window, *, rng: np.random.Generator, style: Style = USUAL) -> Landmarks:
    """Everything of a cell that does not depend on which protein is stained."""
    red_window = window.looking(style.look("filaments"))
    yellow_window = window.looking(style.look("reticulum"))
    if window.cell.mitotic:
        spindle = draw_spindle(red_window, rng=rng)
        empty = np.zeros(window.shape, np.float32)
        swept = _swept(yellow_window, spindle, rng)
        return Landmarks(window, (), empty, spindle.fibres, swept, spindle, style)
    nucleoli, plane = _draw_nucleoli(window.looking(style.look("nucleoli")), rng=rng)
    count = red_window.many(rng.integers(*_FILAMENTS))
    filaments = draw_filaments(red_window, count, rng=rng)
    filaments = red_window.finish(filaments, rng=rng)
    reticulum = yellow_window.finish(_reticulum(yellow_window, rng=rng), rng=rng)
    return Landmarks(window, nucleoli, plane, filaments, reticulum, None, style)


def red(landmarks: Landmarks, *, rng: np.random.Generator) -> Plane:
    """Tubulin: the filaments over the light of those out of focus; 1 at the filaments."""
    window = landmarks.window.looking(landmarks.style.look("filaments"))
    haze = window.look.elsewhere
    if landmarks.spindle:
        return _scaled(landmarks.filaments + 0.3 * haze * window.body)
    # Filaments too dense to tell apart: many beside the nucleus, fewer under and over it.
    near = 0.25 + 0.75 * np.exp(-window.away / 5.0)
    fine = 0.5 + 0.9 * window.mesh(0.6, rng=rng)
    diffuse = 0.32 * near * np.minimum(window.edge / 1.5, 1.0) * window.cytoplasm
    return _scaled(landmarks.filaments + haze * (diffuse * fine + 0.10 * window.nucleus))


def blue(landmarks: Landmarks, *, dent: Plane | None, rng: np.random.Generator) -> Plane:
    """Chromatin: grains and dark nucleoli, or the plate; brighter through the cell cycle.

    Args:
        landmarks: Of the cell.
        dent: Where something pushes the chromatin away, 0..1; None where nothing does.
        rng: The stream of this stain.
    """
    window = landmarks.window.looking(landmarks.style.look("chromatin"))
    dark = 0.6 * min(landmarks.style.look("nucleoli").elsewhere, 1.6)
    fine = window.grain(0.7, rng=rng)
    if landmarks.spindle:
        plane = window.nucleus * (1.5 + 0.2 * fine)
    else:
        coarse = window.grain(2.2, rng=rng)
        rim = 1 + 0.25 * np.exp(-window.depth / 0.5)
        chromatin = (1 + 0.2 * fine + 0.16 * coarse) * rim * (1 - dark * landmarks.nucleolar)
        rounded = np.minimum(0.5 + window.depth / 1.5, 1.0)
        plane = window.nucleus * chromatin * rounded * (0.75 + 0.35 * window.cell.phase)
        plane = window.finish(plane, rng=rng)
    if dent is not None:
        plane = plane * (1 - dent)
    return np.maximum(plane, 0).astype(np.float32)


def yellow(landmarks: Landmarks, *, rng: np.random.Generator) -> Plane:
    """Reticulum: dense beside the nucleus, fading, faint over the nucleus."""
    window = landmarks.window.looking(landmarks.style.look("reticulum"))
    mottle = 1 + 0.15 * window.grain(0.8, rng=rng)
    diffuse = 0.10 * window.look.elsewhere * window.height * mottle
    return _scaled(landmarks.reticulum + diffuse)


def _scaled(plane: Plane) -> Plane:
    """Non-negative, with brightness 1 at the structure."""
    plane = np.maximum(plane, 0)
    return (plane / max(level(plane), 1e-6)).astype(np.float32)


def _draw_nucleoli(
    window: Window, *, rng: np.random.Generator
) -> tuple[tuple[Nucleolus, ...], Plane]:
    """1-5 irregular discs of radius .7-1.6, apart from each other and from the rim."""
    found: list[Nucleolus] = []
    plane = np.zeros(window.shape, np.float32)
    rows, columns = (np.arange(n, dtype=np.float64) * window.pixel_size for n in window.shape)
    roomiest = float(window.depth.max())
    for _ in range(window.many(rng.integers(1, 6))):
        # The first one always finds a place, be the nucleus ever so small.
        radius = float(min(window.look.size * rng.uniform(0.7, 1.6), 0.6 * roomiest))
        y, x = window.scatter(window.depth > min(radius + 0.5, 0.9 * roomiest), 6, rng=rng)
        gaps = [
            min((np.hypot(b - n.y, a - n.x) - n.radius - radius for n in found), default=9.0)
            for b, a in zip(y, x, strict=True)
        ]
        if radius <= 0 or not gaps or max(gaps) < 0.3:
            continue
        best = int(np.argmax(np.array(gaps) > 0.3))
        middle = (float(y[best]), float(x[best]))
        stretch = float(np.sqrt(rng.uniform(1.0, 1.5)))
        shape = Outline(
            middle,
            rng.uniform(0, np.pi),
            (radius * stretch, radius / stretch),
            draw_harmonics(3, strength=0.12, rng=rng),
        )
        top, left = (max(int((c - 2.2 * radius) / window.pixel_size), 0) for c in middle)
        bottom, right = (int((c + 2.2 * radius) / window.pixel_size) + 2 for c in middle)
        fill = shape.fill(rows[top:bottom], columns[left:right])
        # A soft edge one pixel wide: its place is known better than the pixels are large.
        soft = np.clip((1 - fill) * radius / window.pixel_size + 0.5, 0, 1)
        part = plane[top:bottom, left:right]
        np.maximum(part, soft, out=part)
        found.append(Nucleolus(*middle, radius))
    return tuple(found), plane * window.nucleus


def draw_filaments(window: Window, count: int, *, rng: np.random.Generator) -> Plane:
    """Curved filaments: out of the organising centre, around the nucleus, along the edge."""
    points = window.steps(55.0)
    time = np.linspace(0, 1, points)[None, :]
    free = rng.random((count, 1)) < 0.35
    start = np.where(free, rng.uniform(0, 0.6, (count, 1)), window.way_out(window.cell.mtoc))
    angle = np.where(free, rng.uniform(0, 2 * np.pi, (count, 1)), window.mtoc_angle)
    end = rng.beta(2.0, 1.3, (count, 1)) * 1.05
    bend = rng.uniform(0.5, 5.0, (count, 1))
    out = start + (end - start) * (1 - np.exp(-bend * time)) / (1 - np.exp(-bend))
    turn = np.where(free, rng.normal(0, 1.2, (count, 1)), rng.uniform(-2.5, 2.5, (count, 1)))
    swing = _swing(count, time, rng=rng)
    lines = window.place(
        np.maximum(out + 0.10 * swing[0], 0.02), angle + turn * time**1.2 + 0.16 * swing[1]
    )
    length = rng.uniform(0.5, 1.0, (count, 1))
    plane = window.strokes(
        lines, width=0.28, weights=(time < length) * rng.uniform(0.5, 1.0, (count, 1))
    )
    # Crossings add up; a detector and an antibody both give less than double light there.
    return np.asarray(1.4 * np.tanh(plane / 1.4), np.float32)


def _swing(count: int, time: Numbers, *, rng: np.random.Generator) -> Numbers:
    """Slow waves along curves, `[2, curve, point]`, 0 at the start."""
    orders = np.arange(1, 4)[:, None]
    around = 2 * np.pi * orders * time
    basis = np.concatenate([np.sin(around), np.cos(around) - 1])
    strength = rng.standard_normal((2, count, 6)) / np.concatenate([orders, orders])[:, 0]
    # Not `@`: the threads of a matrix library cost more than these few numbers.
    return np.asarray(np.einsum("ako,ot->akt", strength, basis))


def _reticulum(window: Window, *, rng: np.random.Generator) -> Plane:
    """A net that is dense at the nucleus, continuous with its rim, and loose further out."""
    reach = rng.uniform(4.0, 9.0)
    sheet = np.exp(-window.away / reach)
    net = 0.35 + 0.75 * window.mesh(0.8, rng=rng) + 0.25 * window.grain(3.0, rng=rng)
    outer = (0.12 + 0.88 * sheet) * np.minimum(0.3 + window.edge / 2.0, 1.0)
    rim = 0.5 * np.exp(-window.depth / 0.35)
    inner = 0.10 + rim
    return np.asarray(
        np.maximum(net, 0.05) * outer * window.cytoplasm + inner * window.nucleus, np.float32
    )


def _swept(window: Window, spindle: Spindle, rng: np.random.Generator) -> Plane:
    """In mitosis the reticulum lies around the spindle and fills the rest of the ball."""
    net = 0.6 + 0.5 * window.mesh(0.9, rng=rng)
    return np.asarray(net * window.body * (1 - 0.75 * spindle.inside), np.float32)
