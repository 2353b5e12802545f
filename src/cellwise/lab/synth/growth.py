"""Who owns which pixel: cells grow around their nuclei, touch, and stop at their own radius.

Each pixel goes to the cell in whose outline it lies deepest: a power diagram (Aurenhammer 1987,
SIAM J. Computing 16:78) of wavering ellipses. The frame is wider than the field, so that a border
cell has its whole area.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from cellwise.lab.synth.outline import Outline

Box = tuple[slice, slice]
Coordinates = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
# Cytoplasm that no neighbour may take: the nucleus' outline times this.
_HULL = 1.12
# Micrometres by which a dividing cell, a ball on the dish, wins over flat neighbours.
_BALL = 4.0


@dataclass(frozen=True, slots=True)
class Body:
    """What grows: the outline of a nucleus and the outline the cell would have alone.

    Args:
        nucleus: Outline in micrometres of the field (its first pixel's centre is 0, 0).
        cell: Likewise.
        mitotic: Whether the cell divides.
    """

    nucleus: Outline
    cell: Outline
    mitotic: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """Field plus surroundings, wide enough to hold every cell that shows in the field whole.

    Args:
        pixel_size: Micrometres per pixel.
        edge: Pixels around the field.
        cells: Who owns each pixel, int32 `[y, x]`, position in the list of bodies plus 1.
        nuclei: Likewise for nuclei.
        seen: Who shows in the field, ascending.
        boxes: Where each of `seen` lies in the frame.
    """

    pixel_size: float
    edge: int
    cells: npt.NDArray[np.int32]
    nuclei: npt.NDArray[np.int32]
    seen: tuple[int, ...]
    boxes: tuple[Box, ...]

    @property
    def view(self) -> Box:
        """The field in the frame."""
        inside = slice(self.edge, self.cells.shape[0] - self.edge)
        return inside, inside

    def padded(self, box: Box, pad: int) -> Box:
        """A box with `pad` pixels more on each side, as far as the frame goes."""
        side = self.cells.shape[0]
        rows, columns = (slice(max(s.start - pad, 0), min(s.stop + pad, side)) for s in box)
        return rows, columns


def grow(bodies: list[Body], *, size: int, pixel_size: float, reach: float) -> Frame:
    """Let the bodies grow around a field of `size` pixels; they are about `reach` long."""
    edge = int(np.ceil(2 * reach / pixel_size)) + 8
    side = size + 2 * edge
    empty = np.zeros((side, side), np.int32)
    frame = Frame(pixel_size, edge, empty, empty.copy(), (), ())
    depth = np.zeros((side, side), np.float32)
    for number, body in enumerate(bodies, 1):
        place, (y, x) = _around(frame, body.cell)
        own = (body.cell.fill(y, x) - 1) * np.float32(body.cell.radius)
        if body.mitotic:
            own[own < 0] -= _BALL
        _claim(place, own, (depth, frame.cells), number)
        # Nuclei come first, with a little cytoplasm: a claim deeper than any cell's.
        place, (y, x) = _around(frame, body.nucleus)
        fill = body.nucleus.fill(y, x)
        core = np.where(fill < (1.0 if body.mitotic else _HULL), (fill - 2) * 1000, np.inf)
        _claim(place, core.astype(np.float32), (depth, frame.cells), number)
        inner = (fill < 1) & (frame.cells[place] == number)
        frame.nuclei[place][frame.cells[place] == number] = 0
        frame.nuclei[place][inner] = number
    frame.nuclei[frame.nuclei != frame.cells] = 0
    return _tidied(frame, bodies)


def _claim(
    place: Box,
    own: npt.NDArray[np.float32],
    state: tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]],
    number: int,
) -> None:
    """Take the pixels where this claim is the deepest (most negative) so far."""
    depth, cells = state
    wins = own < depth[place]
    depth[place][wins] = own[wins]
    cells[place][wins] = number


def _around(frame: Frame, outline: Outline) -> tuple[Box, Coordinates]:
    """The part of the frame that an outline can reach, and its micrometres."""
    side = frame.cells.shape[0]
    # An outline's hull is a little longer than the outline.
    reach = _HULL * outline.longest
    place, coordinates = [], []
    for centre in outline.centre:
        low = int(np.floor((centre - reach) / frame.pixel_size)) + frame.edge
        high = int(np.ceil((centre + reach) / frame.pixel_size)) + frame.edge + 1
        low, high = max(min(low, side), 0), max(min(high, side), 0)
        place.append(slice(low, high))
        coordinates.append((np.arange(low, high) - frame.edge) * frame.pixel_size)
    return (place[0], place[1]), (coordinates[0], coordinates[1])


def _tidied(frame: Frame, bodies: list[Body]) -> Frame:
    """Free what a neighbour has cut off from its nucleus, and find who is in view."""
    boxes: list[Any] = find_objects(frame.cells)
    for number in _present(frame):
        box = boxes[number - 1]
        own = frame.cells[box] == number
        pieces, names = cv2.connectedComponents(own.astype(np.uint8), connectivity=4)
        if pieces <= 2:
            continue
        centre = np.array(bodies[number - 1].nucleus.centre) / frame.pixel_size + frame.edge
        place = np.round(centre).astype(int) - [box[0].start, box[1].start]
        y, x = np.clip(place, 0, np.array(own.shape) - 1)
        main = names[y, x] or 1 + int(np.bincount(names[names > 0])[1:].argmax())
        islands = own & (names != main)
        frame.cells[box][islands] = 0
        frame.nuclei[box][islands] = 0
    seen = _present(frame)
    return Frame(
        frame.pixel_size,
        frame.edge,
        frame.cells,
        frame.nuclei,
        tuple(seen),
        tuple(boxes[n - 1] for n in seen),
    )


def _present(frame: Frame) -> list[int]:
    """Numbers in the field, ascending."""
    found = np.flatnonzero(np.bincount(frame.cells[frame.view].ravel()))
    return [int(number) for number in found if number]
