"""Outlines of nuclei and cells: ellipses whose radius wavers by a few low harmonics.

Source: the parametric shape model of Lehmussola et al. 2007, IEEE Trans. Med. Imaging 26:1010
(SIMCEP), with the harmonics of the outline drawn instead of its corners.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
_FIRST_HARMONIC = 2
_LAST_HARMONIC = 12
_DIRECTIONS = 1024
_WAVES = np.exp(
    2j
    * np.pi
    * np.arange(_LAST_HARMONIC + 1)[:, None]
    * ((np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS)
)


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed line around a centre.

    Args:
        centre: y, x in micrometres.
        angle: Of the long axis, radians from the x axis towards the y axis.
        axes: Long and short semi-axis, micrometres.
        harmonics: Complex strength of the 2nd, 3rd... harmonic of the radius.
    """

    centre: tuple[float, float]
    angle: float
    axes: tuple[float, float]
    harmonics: npt.NDArray[np.complex128]

    @property
    def radius(self) -> float:
        """Radius of the circle with the area of the ellipse, micrometres."""
        return float(np.sqrt(self.axes[0] * self.axes[1]))

    def moved(self, shift: tuple[float, float]) -> "Outline":
        """The same line elsewhere; `shift` is y, x in micrometres."""
        y, x = self.centre
        return replace(self, centre=(y + shift[0], x + shift[1]))

    @property
    def longest(self) -> float:
        """No point of the line is farther from the centre, micrometres."""
        return self.axes[0] * float(self._table().max())

    def fill(self, y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> Plane:
        """Distance from the centre over the outline's own, `[y, x]`: below 1 is inside.

        Args:
            y: Rows in micrometres.
            x: Columns in micrometres.
        """
        right = (x - self.centre[1]).astype(np.float32)[None, :]
        down = (y - self.centre[0]).astype(np.float32)[:, None]
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        along = (right * cosine + down * sine) / np.float32(self.axes[0])
        across = (down * cosine - right * sine) / np.float32(self.axes[1])
        if not along.size:
            return np.asarray(along, np.float32)
        distance, turn = cv2.cartToPolar(along, across)
        turn *= np.float32(_DIRECTIONS / (2 * np.pi))
        waver = self._table().astype(np.float32).take(turn.astype(np.int32), mode="wrap")
        return np.asarray(distance / waver, np.float32)

    def rim(self, angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Distance of the outline from the centre in these directions, micrometres."""
        own = angles - self.angle
        along, across = np.cos(own) / self.axes[0], np.sin(own) / self.axes[1]
        # Harmonics belong to the angle on the ellipse stretched to a circle, as in `fill`.
        turn = np.arctan2(across, along) * (_DIRECTIONS / (2 * np.pi))
        waver = self._table().take(np.floor(turn).astype(np.int64), mode="wrap")
        return np.asarray(waver / np.hypot(along, across))

    def _table(self) -> npt.NDArray[np.float64]:
        """The radius in each of `_DIRECTIONS` directions, 1 = the plain ellipse."""
        orders = slice(_FIRST_HARMONIC, _FIRST_HARMONIC + len(self.harmonics))
        return np.asarray(
            np.maximum(1 + (self.harmonics[:, None] * _WAVES[orders]).real.sum(axis=0), 0.5)
        )


def draw_harmonics(
    count: int, *, strength: float, rng: np.random.Generator
) -> npt.NDArray[np.complex128]:
    """Harmonics that fall off with their order; `strength` is the sd of the radius, relative."""
    order = np.arange(_FIRST_HARMONIC, _FIRST_HARMONIC + count)
    fall = order**-1.2
    scale = strength * fall / np.sqrt((fall**2).sum())
    return np.asarray(scale * (rng.standard_normal(count) + 1j * rng.standard_normal(count)))
