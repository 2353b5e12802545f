"""One cell's own coordinates: how deep, how far from the nucleus, in which direction.

Patterns are drawn on these, never on pixels of the field, so that each follows the shape of its
cell. Lengths are micrometres of the window, whose first pixel's centre is 0, 0.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.cells import PlacedCell
from cellwise.lab.synth.style import USUAL_LOOK, Look, direction
from cellwise.lab.synth.texture import Numbers, Plane, grain, mesh, spots, strokes

_DIRECTIONS = 96


@dataclass(frozen=True)
class Window:
    """A placed cell with its derived planes, each computed once.

    Args:
        cell: The cell.
        pixel_size: Micrometres per pixel.
        look: How what is drawn in it differs from its usual drawing.
    """

    cell: PlacedCell
    pixel_size: float
    look: Look = USUAL_LOOK

    def looking(self, look: Look) -> "Window":
        """The same cell for something drawn with another look; planes are not computed again."""
        if look == self.look:
            return self
        other = Window(self.cell, self.pixel_size, look)
        own = {f.name for f in fields(self)}
        vars(other).update({k: v for k, v in vars(self).items() if k not in own})
        return other

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.cell.mask.shape
        return height, width

    @property
    def centre(self) -> tuple[float, float]:
        """y, x of the nucleus' centre."""
        return self.cell.nucleus_outline.centre

    @cached_property
    def body(self) -> Plane:
        """1 in the cell, 0 elsewhere."""
        return self.cell.mask.astype(np.float32)

    @cached_property
    def nucleus(self) -> Plane:
        """1 in the nucleus, 0 elsewhere."""
        return self.cell.nucleus.astype(np.float32)

    @cached_property
    def cytoplasm(self) -> Plane:
        """1 in the cell outside its nucleus."""
        return self.body - self.nucleus

    @cached_property
    def edge(self) -> Plane:
        """Distance to the cell's edge, 0 outside."""
        return self._distance(self.cell.mask)

    @cached_property
    def depth(self) -> Plane:
        """Distance to the nucleus' rim inside it, 0 outside."""
        return self._distance(self.cell.nucleus)

    @cached_property
    def away(self) -> Plane:
        """Distance to the nucleus outside it, 0 inside."""
        return self._distance(~self.cell.nucleus)

    @cached_property
    def height(self) -> Plane:
        """Thickness of the cell, 0..1: highest over the nucleus, thin at the edge."""
        flat = 0.4 + 0.6 * np.exp(-self.away / 7.0)
        return np.asarray(flat * np.minimum(0.25 + self.edge / 2.5, 1.0) * self.body, np.float32)

    @cached_property
    def contact(self) -> Plane:
        """How near a neighbour is, 0..1: 1 where two cells touch."""
        if not self.cell.neighbours.any():
            return np.zeros(self.shape, np.float32)
        return np.asarray(np.exp(-self._distance(~self.cell.neighbours) / 0.8), np.float32)

    @cached_property
    def mtoc_angle(self) -> float:
        """Direction from the nucleus' centre to the microtubule-organising centre, radians."""
        y, x = self.cell.mtoc
        return float(np.arctan2(y - self.centre[0], x - self.centre[1]))

    @cached_property
    def _profile(self) -> tuple[Numbers, Numbers]:
        """Rim of the nucleus and edge of the cell in each direction, micrometres."""
        angles = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
        rim = self.cell.nucleus_outline.rim(angles)
        steps = np.arange(1, int(np.hypot(*self.shape)), max(0.3 / self.pixel_size, 1.0))
        y = self.centre[0] + np.sin(angles)[:, None] * steps * self.pixel_size
        x = self.centre[1] + np.cos(angles)[:, None] * steps * self.pixel_size
        outside = ~self.holds(y, x)
        outside[:, -1] = True
        edge = steps[outside.argmax(axis=1)] * self.pixel_size
        return rim, np.maximum(edge, rim + self.pixel_size)

    def place(self, out: Numbers, angle: Numbers) -> tuple[Numbers, Numbers]:
        """Rows and columns of points given by their way `out` and their direction.

        Args:
            out: 0 at the nucleus' rim, 1 at the cell's edge, -1 at the nucleus' centre.
            angle: Direction from the nucleus' centre, radians from x towards y.
        """
        position = np.mod(angle, 2 * np.pi) * (_DIRECTIONS / (2 * np.pi))
        low = position.astype(np.int64) % _DIRECTIONS
        part = position - np.floor(position)
        rim, edge = (
            line[low] * (1 - part) + line[(low + 1) % _DIRECTIONS] * part for line in self._profile
        )
        radius = np.where(out < 0, rim * (1 + out), rim + out * (edge - rim))
        return self.centre[0] + radius * np.sin(angle), self.centre[1] + radius * np.cos(angle)

    def way_out(self, place: tuple[float, float]) -> float:
        """The `out` of a point outside the nucleus (see `place`)."""
        y, x = place[0] - self.centre[0], place[1] - self.centre[1]
        index = round(float(np.arctan2(y, x)) * _DIRECTIONS / (2 * np.pi)) % _DIRECTIONS
        rim, edge = (float(line[index]) for line in self._profile)
        return float(np.clip((np.hypot(y, x) - rim) / (edge - rim), 0.0, 1.0))

    def holds(self, y: Numbers, x: Numbers) -> npt.NDArray[np.bool_]:
        """Whether points lie in the cell."""
        return self.lookup(self.cell.mask, y, x)

    def lookup(self, mask: npt.NDArray[np.bool_], y: Numbers, x: Numbers) -> npt.NDArray[np.bool_]:
        """The value of a mask of the window at points; False outside the window."""
        row = np.round(y / self.pixel_size).astype(np.int64)
        column = np.round(x / self.pixel_size).astype(np.int64)
        height, width = self.shape
        within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return within & mask[np.where(within, row, 0), np.where(within, column, 0)]

    def scatter(
        self, mask: npt.NDArray[np.bool_], count: int, *, rng: np.random.Generator
    ) -> tuple[Numbers, Numbers]:
        """`count` points evenly in a mask (fewer, none, where it is empty)."""
        pixels = np.flatnonzero(mask)
        if not len(pixels):
            return np.zeros(0), np.zeros(0)
        chosen = pixels[rng.integers(0, len(pixels), count)]
        jitter = rng.uniform(-0.5, 0.5, (2, count))
        y = (chosen // self.shape[1] + jitter[0]) * self.pixel_size
        x = (chosen % self.shape[1] + jitter[1]) * self.pixel_size
        return y, x

    def grain(self, micrometres: float, *, rng: np.random.Generator) -> Plane:
        """See `texture.grain`."""
        wide = micrometres * self.look.size
        return grain(self.shape, wide, pixel_size=self.pixel_size, rng=rng)

    def mesh(self, micrometres: float, *, rng: np.random.Generator) -> Plane:
        """See `texture.mesh`."""
        wide = micrometres * self.look.size
        return mesh(self.shape, wide, pixel_size=self.pixel_size, rng=rng)

    def many(self, usual: Any) -> int:
        """How many of a thing there are where there are usually `usual` (cut to a whole number)."""
        return self.look.many(int(usual))

    def spots(self, places: tuple[Numbers, Numbers], *, radii: Numbers, heights: Numbers) -> Plane:
        """See `texture.spots`; rings where the look is hollow."""
        radii = radii * self.look.size
        size = self.pixel_size
        full = spots(self.shape, places, radii=radii, heights=heights, pixel_size=size)
        if not self.look.hollow:
            return full
        hole = spots(
            self.shape,
            places,
            radii=0.6 * radii,
            heights=self.look.hollow * heights,
            pixel_size=size,
        )
        return np.asarray(np.maximum(full - hole, 0), np.float32)

    def finish(self, structure: Plane, *, rng: np.random.Generator) -> Plane:
        """A drawn structure with the contrast, the grains and the side that its look gives it."""
        look = self.look
        structure = np.maximum(structure, 0)
        if look.gamma != 1:
            most = max(float(structure.max()), 1e-6)
            structure = most * np.power(structure / most, look.gamma)
        if look.mottle:
            noise = grain(self.shape, look.mottle_um, pixel_size=self.pixel_size, rng=rng)
            structure = structure * np.maximum(1 + look.mottle * noise, 0.05)
        if look.polarity:
            rows, columns = (np.arange(n) * self.pixel_size for n in self.shape)
            angle = np.arctan2(rows[:, None] - self.centre[0], columns - self.centre[1])
            structure = structure * (1 + look.polarity * np.cos(angle - direction(rng)))
        if look.inward:
            out = self.away / np.maximum(self.away + self.edge, 1e-3)
            structure = structure * np.exp(look.inward * (0.5 - out))
        return np.asarray(structure, np.float32)

    def strokes(
        self, lines: tuple[Numbers, Numbers], *, width: float, weights: Numbers | None = None
    ) -> Plane:
        """See `texture.strokes`; curves end at the cell's edge."""
        inside = self.holds(*lines).astype(np.float64)
        return strokes(
            self.shape,
            lines,
            weights=inside if weights is None else inside * weights,
            width=width * self.look.size,
            pixel_size=self.pixel_size,
        )

    def steps(self, longest: float) -> int:
        """Points that a curve of this length needs to have no gaps."""
        return max(int(np.ceil(longest / (0.8 * self.pixel_size))), 4)

    def _distance(self, mask: npt.NDArray[np.bool_]) -> Plane:
        """Micrometres to the nearest pixel outside the mask; half a pixel at its border."""
        pixels = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
        return np.asarray(np.maximum(pixels - 0.5, 0) * np.float32(self.pixel_size), np.float32)
