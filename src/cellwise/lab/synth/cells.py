"""Cells on a field: where they stand, how they touch, who leaves the frame.

Nuclei are wavering ellipses with a hard core; cells grow around them to a radius and no further, so
that neighbours touch and free cells have a free edge (figures 7.3 of the specification). Cells are
placed over the field and a margin, then the field is cut out: border cells are cut as in real life.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.growth import Body, Frame, grow
from cellwise.lab.synth.outline import Outline, draw_harmonics
from cellwise.lab.synth.placement import Ground, margin_count, place_centres
from cellwise.lab.synth.style import USUAL_SHAPE, CellStyle, Shape

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[Any]

# A window holds its cell and this much around it, micrometres.
_WINDOW_PAD = 1.2
# The reach of a cell beyond its mean growth radius.
_REACH = 1.35


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """One cell that shows in the field.

    Args:
        id: Its number in both label images.
        number: Its place in the plan: first the cells of the field, then those of the margin.
        inside: Whether its nucleus is centred in the field.
        mitotic: Rounded; the nucleus is the metaphase plate, the spindle stands across it.
        phase: Place in the cell cycle, 0..1.
        origin: Row and column of the window's first pixel in the field; may be negative.
        mask: The whole cell `[y, x]` in its window, the part outside the field included.
        nucleus: The whole nucleus, inside `mask`.
        neighbours: Other cells in the window.
        nucleus_outline: In micrometres of the window (its first pixel's centre is 0, 0).
        cell_outline: What the cell would be without neighbours, likewise.
        mtoc: The microtubule-organising centre, y and x in micrometres of the window.
        in_view: Share of the cell's area that lies in the field, 0..1.
        nucleus_in_view: Whether a pixel of the nucleus lies in the field.
    """

    id: int
    number: int
    inside: bool
    mitotic: bool
    phase: float
    origin: tuple[int, int]
    mask: Mask
    nucleus: Mask
    neighbours: Mask
    nucleus_outline: Outline
    cell_outline: Outline
    mtoc: tuple[float, float]
    in_view: float
    nucleus_in_view: bool

    @property
    def ignored(self) -> bool:
        """Annotators skip it: less than half of it, or nothing of its nucleus, is in view."""
        return self.in_view < 0.5 or not self.nucleus_in_view


@dataclass(frozen=True, slots=True)
class Geometry:
    """All cells of a field.

    Args:
        pixel_size: Micrometres per pixel.
        cells: Label image `[y, x]`, uint16, ids 1..n without gaps.
        nuclei: The nuclei under the same ids; each lies inside its cell.
        placed: One entry per id, in order.
    """

    pixel_size: float
    cells: Labels
    nuclei: Labels
    placed: tuple[PlacedCell, ...]


def count_margin(size: int, *, pixel_size: float, style: CellStyle, count: int) -> int:
    """How many cells centred outside a field of `count` cells are placed around it."""
    return margin_count(size * pixel_size, _reach(style), count)


def place_cells(
    size: int,
    *,
    pixel_size: float,
    style: CellStyle,
    count: int,
    rng: np.random.Generator,
    mitotic: Sequence[bool] = (),
    phases: Sequence[float] = (),
    margin: int | None = None,
    shape: Shape = USUAL_SHAPE,
) -> Geometry:
    """Place `count` cells in a field of `size` pixels and their neighbours around it.

    Args:
        size: Side of the field in pixels.
        pixel_size: Micrometres per pixel.
        style: The cell line.
        count: Cells whose nucleus is centred in the field.
        rng: The stream of this field's geometry.
        mitotic: Which cells divide, by number (field first, then margin); missing ones do not.
        phases: Place in the cell cycle by number; missing ones stand at 0.3.
        margin: Cells around the field, at most; as many as the density asks for by default.
        shape: How outlines vary between the cells of a line.
    """
    asked = count_margin(size, pixel_size=pixel_size, style=style, count=count)
    total = count + (asked if margin is None else min(asked, margin))
    dividing = np.array([*mitotic[:total], *[False] * (total - len(mitotic))], bool)
    phase = np.array([*phases[:total], *[0.3] * (total - len(phases))], float)
    inside = np.arange(total) < count
    radii = _growth_radius(style) * np.exp(shape.radius_spread * rng.standard_normal(total))
    spacing = np.where(dividing, 9.0, (0.75 - 0.2 * style.crowding) * radii)
    ground = Ground(size * pixel_size, _reach(style))
    centres = place_centres(
        ground, spacing=spacing, inside=inside, crowding=0.7 * style.crowding, rng=rng
    )
    bodies = [
        _draw_dividing(centres[k], radii[k], rng=rng)
        if dividing[k]
        else _draw_body(centres[k], radii[k], style=style, shape=shape, phase=phase[k], rng=rng)
        for k in range(total)
    ]
    frame = grow(bodies, size=size, pixel_size=pixel_size, reach=_reach(style))
    return _cut_out(frame, bodies, traits=_Traits(inside, phase), rng=rng)


def _growth_radius(style: CellStyle) -> float:
    """Neighbours take from a cell what its radius gives it too much."""
    return float(np.sqrt(style.area / np.pi) * (1.0 + 0.25 * style.crowding))


def _reach(style: CellStyle) -> float:
    return _REACH * _growth_radius(style) * max(1.0, float(np.sqrt(style.elongation)))


def _draw_body(
    centre: npt.NDArray[np.float64],
    radius: float,
    *,
    style: CellStyle,
    shape: Shape,
    phase: float,
    rng: np.random.Generator,
) -> Body:
    """Outlines of nucleus and cell; the nucleus grows through the cell cycle."""
    angle = rng.uniform(0, np.pi)
    stretch = np.sqrt(style.elongation * np.exp(shape.stretch_spread * rng.standard_normal()))
    area = style.area * style.nucleus_share * (0.8 + 0.4 * phase)
    size = np.sqrt(area / np.pi) * np.exp(shape.nucleus_spread * rng.standard_normal())
    round_off = np.sqrt(1 + 0.5 * (stretch**2 - 1) + abs(0.15 * rng.standard_normal()))
    shift = shape.off_centre * radius * np.sqrt(rng.random())
    towards = rng.uniform(0, 2 * np.pi)
    y, x = map(float, centre)
    nucleus = Outline(
        (y, x),
        angle + 0.15 * rng.standard_normal(),
        (size * round_off, size / round_off),
        draw_harmonics(4, strength=shape.nucleus_waver, rng=rng),
    )
    cell = Outline(
        (y + shift * np.sin(towards), x + shift * np.cos(towards)),
        angle,
        (radius * stretch, radius / stretch),
        draw_harmonics(shape.waves, strength=shape.waver, rng=rng),
    )
    return Body(nucleus, cell, mitotic=False)


def _draw_dividing(
    centre: npt.NDArray[np.float64], radius: float, *, rng: np.random.Generator
) -> Body:
    """A cell in metaphase: a ball around the plate of chromosomes."""
    angle = rng.uniform(0, np.pi)
    ball = float(np.clip(0.5 * radius, 7.0, 10.0)) * rng.uniform(0.95, 1.1)
    half_length = rng.uniform(4.2, 5.8) * ball / 9
    y, x = map(float, centre)
    plate = (half_length, rng.uniform(0.28, 0.40) * half_length)
    nucleus = Outline((y, x), angle, plate, draw_harmonics(5, strength=0.06, rng=rng))
    wall = draw_harmonics(5, strength=0.02, rng=rng)
    return Body(nucleus, Outline((y, x), angle, (ball * 1.03, ball / 1.03), wall), mitotic=True)


@dataclass(frozen=True, slots=True)
class _Traits:
    """What each cell is, `[cell]`."""

    inside: Mask
    phase: npt.NDArray[np.float64]


def _cut_out(
    frame: Frame, bodies: list[Body], *, traits: _Traits, rng: np.random.Generator
) -> Geometry:
    """The field out of the frame, ids without gaps, and a window per cell in view."""
    ids = np.zeros(len(bodies) + 1, np.uint16)
    ids[list(frame.seen)] = np.arange(1, len(frame.seen) + 1)
    turns = rng.standard_normal(len(bodies)), rng.random(len(bodies))
    placed = tuple(
        _extract(
            frame,
            position,
            body=bodies[n - 1],
            traits=traits,
            turn=(turns[0][n - 1], turns[1][n - 1]),
        )
        for position, n in enumerate(frame.seen)
    )
    return Geometry(
        frame.pixel_size, ids[frame.cells[frame.view]], ids[frame.nuclei[frame.view]], placed
    )


def _extract(
    frame: Frame, position: int, *, body: Body, traits: _Traits, turn: tuple[float, float]
) -> PlacedCell:
    """One cell with its window."""
    number = frame.seen[position]
    box = frame.padded(frame.boxes[position], int(np.ceil(_WINDOW_PAD / frame.pixel_size)) + 1)
    owners = frame.cells[box]
    mask, nucleus = owners == number, frame.nuclei[box] == number
    origin = (box[0].start - frame.edge, box[1].start - frame.edge)
    shift = (-origin[0] * frame.pixel_size, -origin[1] * frame.pixel_size)
    outlines = body.nucleus.moved(shift), body.cell.moved(shift)
    inner = frame.view[0]
    overlap = tuple(
        slice(max(inner.start - side.start, 0), max(inner.stop - side.start, 0)) for side in box
    )
    return PlacedCell(
        id=position + 1,
        number=number - 1,
        inside=bool(traits.inside[number - 1]),
        mitotic=body.mitotic,
        phase=float(traits.phase[number - 1]),
        origin=origin,
        mask=mask,
        nucleus=nucleus,
        neighbours=(owners > 0) & ~mask,
        nucleus_outline=outlines[0],
        cell_outline=outlines[1],
        mtoc=_place_mtoc(mask & ~nucleus, outlines[0], pixel_size=frame.pixel_size, turn=turn),
        in_view=float(mask[overlap].sum() / mask.sum()),
        nucleus_in_view=bool(nucleus[overlap].any()),
    )


def _place_mtoc(
    cytoplasm: Mask, nucleus: Outline, *, pixel_size: float, turn: tuple[float, float]
) -> tuple[float, float]:
    """Beside the nucleus, rather where the cell has more room; `turn` is normal and uniform."""
    moments = cv2.moments(cytoplasm.astype(np.uint8), binaryImage=True)
    area = max(moments["m00"], 1.0)
    down = moments["m01"] / area * pixel_size - nucleus.centre[0]
    right = moments["m10"] / area * pixel_size - nucleus.centre[1]
    angles = np.arctan2(down, right) + 0.7 * turn[0] + np.array([0, 0.5, -0.5, 1, -1, 2, -2, 3])
    for gap in (0.6 + 1.2 * turn[1], 0.5):
        distance = nucleus.rim(angles) + gap
        y = nucleus.centre[0] + distance * np.sin(angles)
        x = nucleus.centre[1] + distance * np.cos(angles)
        for place in zip(y, x, strict=True):
            row, column = (round(value / pixel_size) for value in place)
            if _holds(cytoplasm, row, column):
                return float(place[0]), float(place[1])
    return nucleus.centre


def _holds(mask: Mask, row: int, column: int) -> bool:
    height, width = mask.shape
    return 0 <= row < height and 0 <= column < width and bool(mask[row, column])
