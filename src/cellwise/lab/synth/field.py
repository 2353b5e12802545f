"""A field from its plan: cells are placed, stained, and seen through a microscope.

Every number is drawn from (seed, purpose, index) alone: a field is the same whichever process draws
it, and after whichever other field.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.cells import PlacedCell, place_cells
from cellwise.lab.synth.landmarks import Landmarks, blue, draw_landmarks, red, yellow
from cellwise.lab.synth.optics import expose
from cellwise.lab.synth.patterns import AGGRESOME, draw_pattern
from cellwise.lab.synth.patterns.organelles import aggresome_blob
from cellwise.lab.synth.plan import CellPlan, FieldPlan
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.texture import Plane, blur
from cellwise.lab.synth.window import Window


@dataclass(frozen=True, slots=True)
class Member:
    """One cell of a made field.

    Args:
        cell_id: Its number in the label images.
        plan: What it was to show: the truth.
        in_view: Share of its area in the field, 0..1.
        ignored: Less than half of it, or nothing of its nucleus, is in view: no truth is asked.
    """

    cell_id: int
    plan: CellPlan
    in_view: float
    ignored: bool


@dataclass(frozen=True, slots=True)
class RenderedField:
    """A made field.

    Args:
        pixels: uint8 or uint16 `[channel, y, x]`: red, green, blue, yellow.
        cells: Label image `[y, x]`, uint16, ids 1..n.
        nuclei: The nuclei under the same ids.
        members: One entry per id, in order.
    """

    pixels: npt.NDArray[Any]
    cells: npt.NDArray[np.uint16]
    nuclei: npt.NDArray[np.uint16]
    members: tuple[Member, ...]


def render_field(plan: FieldPlan) -> RenderedField:
    """Draw a field; the same plan gives the same bytes.

    Uses one thread: fields are drawn side by side, one per core.
    """
    with _one_thread():
        return _render(plan)


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV's threads stand still meanwhile; their number is put back as it was."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _render(plan: FieldPlan) -> RenderedField:
    everyone = (*plan.cells, *plan.margin_cells)
    geometry = place_cells(
        plan.size,
        pixel_size=plan.pixel_size,
        style=plan.line,
        count=len(plan.cells),
        rng=generator(plan.seed, "field", plan.index, "geometry"),
        mitotic=[cell.mitotic for cell in everyone],
        phases=[cell.phase for cell in everyone],
        margin=len(plan.margin_cells),
        shape=plan.style.shape,
    )
    light = np.zeros((4, plan.size, plan.size), np.float32)
    for placed in geometry.placed:
        _add_cell(light, placed, everyone[placed.number], field=plan)
    pixels = expose(
        light,
        plan.optics,
        pixel_size=plan.pixel_size,
        rng=generator(plan.seed, "field", plan.index, "camera"),
    )
    members = tuple(
        Member(cell.id, everyone[cell.number], cell.in_view, cell.ignored)
        for cell in geometry.placed
    )
    return RenderedField(pixels, geometry.cells, geometry.nuclei, members)


def _add_cell(light: Plane, placed: PlacedCell, cell: CellPlan, *, field: FieldPlan) -> None:
    """Stain one cell in its window and lay the window on the field."""
    names = ("field", field.index, "cell", placed.number)
    window = Window(placed, field.pixel_size)
    style = field.style
    landmarks = draw_landmarks(window, rng=generator(field.seed, *names, "landmarks"), style=style)
    rng = generator(field.seed, *names, "stains")
    loads = np.array(field.line.gains) * np.exp(style.stain_spread * rng.standard_normal(4))
    planes = [
        red(landmarks, rng=rng) * loads[0],
        _green(landmarks, cell, field=field, number=placed.number) * field.line.gains[1],
        blue(landmarks, dent=_dent(landmarks, cell, field=field), rng=rng) * loads[2],
        yellow(landmarks, rng=rng) * loads[3],
    ]
    sigma = rng.uniform(*style.defocus) / field.pixel_size if cell.out_of_focus else 0.0
    for plane, channel in zip(planes, light, strict=True):
        _lay(channel, np.asarray(plane, np.float32), placed.origin, sigma=sigma)


def _green(landmarks: Landmarks, cell: CellPlan, *, field: FieldPlan, number: int) -> Plane:
    """The protein: each class at its share of the brightness, over autofluorescence."""
    total = np.float32(field.style.autofluorescence) * landmarks.window.height
    if cell.unstained:
        return total
    for index, share in cell.weights:
        look = generator(field.seed, "field", field.index, "look", index)
        rng = _pattern_stream(field, number, index)
        styled = landmarks.looking(field.style.look(index))
        drawn = draw_pattern(index, styled, look=look, rng=rng)
        total = total + np.float32(share * cell.intensity) * drawn
    return total


def _pattern_stream(field: FieldPlan, number: int, index: int) -> np.random.Generator:
    return generator(field.seed, "field", field.index, "cell", number, "pattern", index)


def _dent(landmarks: Landmarks, cell: CellPlan, *, field: FieldPlan) -> Plane | None:
    """Where an aggresome pushes the chromatin aside."""
    number = landmarks.window.cell.number
    if landmarks.spindle is not None or AGGRESOME not in cell.shown:
        return None
    styled = landmarks.looking(field.style.look(AGGRESOME))
    return aggresome_blob(styled, _pattern_stream(field, number, AGGRESOME))


def _lay(channel: Plane, plane: Plane, origin: tuple[int, int], *, sigma: float) -> None:
    """Add a window to the field where the two overlap, out of focus by `sigma` pixels."""
    pad = int(np.ceil(3 * sigma))
    if pad:
        plane = blur(np.pad(plane, pad), sigma)
    size = channel.shape[0]
    top, left = origin[0] - pad, origin[1] - pad
    rows = slice(max(top, 0), min(top + plane.shape[0], size))
    columns = slice(max(left, 0), min(left + plane.shape[1], size))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    channel[rows, columns] += plane[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
