"""Where cells stand: a hard core around each nucleus, and cells that like company.

Source: SimuCell (Rajaram et al. 2012, Nature Methods 9:634) places cells at random or in clusters;
the choice of the best of many candidates is Mitchell 1991, SIGGRAPH 25:157.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_CANDIDATES = 24
# A strip on both sides of the border stays free of centres: who is in view is then rarely a matter
# of a pixel. Micrometres.
_CLEAR_INSIDE = 2.0
_CLEAR_OUTSIDE = 1.5


@dataclass(frozen=True, slots=True)
class Ground:
    """The square where cells may stand, in micrometres; the field is `0..side`.

    Args:
        side: Of the field.
        reach: How far outside the field a centre may lie.
    """

    side: float
    reach: float

    def draw(self, rng: np.random.Generator, *, inside: bool) -> npt.NDArray[np.float64]:
        """Candidates `[candidate, (y, x)]`, evenly over the field or over the margin around it."""
        if inside:
            clear = min(_CLEAR_INSIDE, self.side / 4)
            return rng.uniform(clear, self.side - clear, (_CANDIDATES, 2))
        points = rng.uniform(-self.reach, self.side + self.reach, (8 * _CANDIDATES, 2))
        outside = np.abs(points - self.side / 2).max(axis=1) > self.side / 2 + _CLEAR_OUTSIDE
        return np.asarray(points[outside][:_CANDIDATES])


def margin_count(side: float, reach: float, count: int) -> int:
    """Cells around a field of `count` cells, at the field's own density."""
    return round(count * ((1 + 2 * reach / side) ** 2 - 1))


def place_centres(
    ground: Ground,
    *,
    spacing: npt.NDArray[np.float64],
    inside: npt.NDArray[np.bool_],
    crowding: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Centres `[cell, (y, x)]` in micrometres, no two nearer than the sum of their `spacing`.

    Where the ground is too full for that, a cell stands where it is least crowded.

    Args:
        ground: Field and margin.
        spacing: Radius of the hard core of each cell, micrometres.
        inside: Whether a cell stands in the field or in the margin.
        crowding: 0 (anywhere) to 1 (always beside another cell).
        rng: The stream of this field's placement.
    """
    centres = np.zeros((len(spacing), 2))
    placed = np.zeros(len(spacing), bool)
    for cell in rng.permutation(len(spacing)):
        points = ground.draw(rng, inside=bool(inside[cell]))
        near = rng.random() < crowding
        if not len(points):
            points = np.full((1, 2), -ground.reach)
        centres[cell] = points[0]
        if placed.any():
            gaps = np.hypot(*(points[:, None] - centres[placed]).transpose(2, 0, 1))
            room = (gaps / (spacing[placed] + spacing[cell])).min(axis=1)
            centres[cell] = points[_choose(room, near=near)]
        placed[cell] = True
    return centres


def _choose(room: npt.NDArray[np.float64], *, near: bool) -> int:
    """Position of the candidate to take; `room` is the distance to the nearest, 1 = touching."""
    free = np.flatnonzero(room >= 1)
    if not len(free):
        return int(room.argmax())
    return int(free[room[free].argmin()] if near else free[0])
