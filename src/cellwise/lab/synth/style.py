"""How the things of a world are drawn against their usual drawing: shapes, stains, patterns.

Every world but the foreign ones is drawn in `USUAL`, whose ones and zeros change no bit of a
image. What can be styled is named by words: the 19 classes by their numbers, and the landmarks
`filaments`, `reticulum`, `chromatin` and `nucleoli`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

Pair = tuple[float, float]
LANDMARKS = ("chromatin", "filaments", "nucleoli", "reticulum")


class CellStyle(Protocol):
    """What the geometry wants to know of a cell line (`plan.CellLine` is one)."""

    @property
    def area(self) -> float:
        """Mean area of a cell, square micrometres."""

    @property
    def elongation(self) -> float:
        """Long over short axis, 1 is round."""

    @property
    def nucleus_share(self) -> float:
        """Area of the nucleus over the area of the cell, 0..1."""

    @property
    def crowding(self) -> float:
        """0 = cells lie apart, 1 = they cover the field and touch."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one structure is drawn.

    Args:
        size: Of spots, strokes, grains and meshes, times the usual.
        count: Of spots and strokes, times the usual.
        elsewhere: Light outside the structure, times the usual.
        hollow: How far spots are rings, 0..1.
        mottle: Relative strength of grains laid over the structure.
        mottle_um: Their width, micrometres.
        polarity: How much brighter one side of the cell is, 0..1.
        inward: Above 0 brighter beside the nucleus, below 0 at the edge.
        gamma: Exponent of the structure's brightness; above 1 is more contrast.
    """

    size: float = 1.0
    count: float = 1.0
    elsewhere: float = 1.0
    hollow: float = 0.0
    mottle: float = 0.0
    mottle_um: float = 2.0
    polarity: float = 0.0
    inward: float = 0.0
    gamma: float = 1.0

    def many(self, usual: int) -> int:
        """How many there are where the usual number is `usual`: at least one, 0 stays 0."""
        return max(round(usual * self.count), min(usual, 1))


@dataclass(frozen=True, slots=True)
class Shape:
    """How the outlines of nuclei and cells vary.

    Args:
        radius_spread: Log-normal sigma of the cells' radius.
        nucleus_spread: The same of the nuclei's.
        stretch_spread: The same of the elongation.
        waver: Relative standard deviation of a cell's outline about an ellipse.
        waves: Harmonics of it, at most 11.
        nucleus_waver: The same of the nucleus.
        off_centre: How far from the nucleus the cell may be centred, in radii of the cell.
    """

    radius_spread: float = 0.1
    nucleus_spread: float = 0.075
    stretch_spread: float = 0.1
    waver: float = 0.1
    waves: int = 8
    nucleus_waver: float = 0.045
    off_centre: float = 0.18


@dataclass(frozen=True, slots=True)
class Style:
    """All that is drawn in another way than usual.

    Args:
        looks: By class number as text, or by the name of a landmark; missing ones are usual.
        shape: Of nuclei and cells.
        autofluorescence: What the protein's channel shows in every cell, 1 = a typical structure.
        stain_spread: Log-normal sigma between the cells' loads of the four stains.
        defocus: Blur of cells out of focus, sigma in micrometres, from and to.
    """

    looks: Mapping[str, Look] = field(default_factory=dict)
    shape: Shape = Shape()
    autofluorescence: float = 0.02
    stain_spread: float = 0.2
    defocus: Pair = (0.7, 1.4)

    def look(self, name: str | int) -> Look:
        """The look of a class or a landmark."""
        return self.looks.get(str(name), USUAL_LOOK)


@dataclass(frozen=True, slots=True)
class LineRanges:
    """What cell lines are drawn from.

    Args:
        number: Least and largest number of lines; the largest itself is not reached.
        area: Median area of a cell, square micrometres.
        area_spread: Its log-normal sigma between lines.
        areas: Least and largest area.
        elongation: Long over short axis.
        nucleus_share: Area of the nucleus over that of the cell.
        crowding: 0 = cells lie apart, 1 = they touch.
        gain_spread: Log-normal sigma of the stain gains.
        density: Cells per area, times the usual.
    """

    number: tuple[int, int] = (8, 18)
    area: float = 780.0
    area_spread: float = 0.3
    areas: Pair = (420.0, 1500.0)
    elongation: Pair = (1.05, 1.8)
    nucleus_share: Pair = (0.2, 0.34)
    crowding: Pair = (0.2, 0.9)
    gain_spread: float = 0.2
    density: float = 1.0


USUAL_LOOK = Look()
USUAL_SHAPE = Shape()
USUAL_LINES = LineRanges()
USUAL = Style()


def direction(rng: np.random.Generator) -> float:
    """A direction, radians."""
    return float(rng.uniform(0, 2 * np.pi))
