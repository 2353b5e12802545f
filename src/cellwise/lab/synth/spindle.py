"""The mitotic spindle: two poles across the plate, fusiform fibres between, asters around.

Source: figures 7.4 of the specification (class 11); proportions as in Dumont and Mitchison 2009,
Current Biology 19:R749.
"""

from dataclasses import dataclass

import numpy as np

from cellwise.lab.synth.texture import Plane
from cellwise.lab.synth.window import Window

_NARROWEST, _WIDEST = 6.0, 10.0


@dataclass(frozen=True, slots=True)
class Spindle:
    """Poles and fibres of a cell in metaphase.

    Args:
        poles: y, x of both poles, micrometres of the window.
        fibres: Light of the fibres `[y, x]`, 1 at a fibre.
        inside: 1 between the poles within the fibres, 0 elsewhere, soft.
    """

    poles: tuple[tuple[float, float], tuple[float, float]]
    fibres: Plane
    inside: Plane


def draw_spindle(window: Window, *, rng: np.random.Generator) -> Spindle:
    """Poles 6-10 micrometres apart on the axis that stands across the plate."""
    plate = window.cell.nucleus_outline
    axis = plate.angle + np.pi / 2
    ball = window.cell.cell_outline.radius
    half = min(rng.uniform(_NARROWEST, _WIDEST), max(1.35 * ball, _NARROWEST)) / 2
    along = np.array([np.sin(axis), np.cos(axis)])
    across = np.array([np.sin(plate.angle), np.cos(plate.angle)])
    centre = np.array(plate.centre)
    poles = centre - half * along, centre + half * along
    belly = 0.8 * plate.axes[0]

    count = 26
    time = np.linspace(0, 1, window.steps(2.4 * half))[None, :]
    side = np.clip(rng.normal(0, 0.5, (count, 1)), -1.05, 1.05)
    way = (2 * time - 1) * half
    out = belly * side * np.sin(np.pi * time) ** 0.8
    lines = tuple(centre[k] + way * along[k] + out * across[k] for k in (0, 1))
    weights = (0.45 + 0.55 * np.abs(2 * time - 1)) * rng.uniform(0.5, 1.0, (count, 1))
    fibres = window.strokes((lines[0], lines[1]), width=0.3, weights=weights)
    fibres = fibres + 0.35 * _asters(window, poles, rng=rng)

    rows = np.arange(window.shape[0])[:, None] * window.pixel_size - centre[0]
    columns = np.arange(window.shape[1])[None, :] * window.pixel_size - centre[1]
    far = (rows * along[0] + columns * along[1]) / (half + 0.6)
    wide = (rows * across[0] + columns * across[1]) / (belly + 0.6)
    inside = np.clip((1.1 - far**2 - wide**2) / 0.3, 0, 1)
    return Spindle(
        (_point(poles[0]), _point(poles[1])),
        np.asarray(2.0 * np.tanh(fibres / 2.0), np.float32),
        np.asarray(inside * window.body, np.float32),
    )


def _asters(
    window: Window, poles: tuple[np.ndarray, np.ndarray], *, rng: np.random.Generator
) -> Plane:
    """Short rays around the poles."""
    count = 12
    reach = rng.uniform(1.5, 4.0, (count, 1))
    angle = rng.uniform(0, 2 * np.pi, (count, 1))
    way = reach * np.linspace(0, 1, window.steps(4.0))[None, :]
    which = np.arange(count) % 2
    start = np.stack(poles)[which]
    lines = start[:, :1] + way * np.sin(angle), start[:, 1:] + way * np.cos(angle)
    return window.strokes(lines, width=0.25)


def _point(place: np.ndarray) -> tuple[float, float]:
    return float(place[0]), float(place[1])
