"""What the small network is shown: brightness freed from gain and offset, at a fixed nuclear size.

Training and segmenting both go through this file, so that they show the same. Brightness is
counted from the dark ground up, with 1 for a typical bright pixel; a second plane holds its
logarithm, in which nuclei a hundredth as bright as their neighbours still stand out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.stages.segment.watershed.foreground import (
    Background,
    Plane,
    find_foreground,
    weighted_median,
)

# Nuclei are shown to the network at about this many pixels across.
WORK_DIAMETER = 20.0
# Linear brightness, its logarithm, and the cell body (zeros where no channel shows it).
PLANES = 3
# Brightness from which on the logarithm grows evenly; below it is nearly linear.
_KNEE = 0.05
_BRIGHTEST = 4.0
_SMOOTH = 0.04


@dataclass(frozen=True, slots=True)
class Light:
    """What relative brightness is counted by: the level of the dark ground, and of what shines."""

    dark: np.float32
    bright: np.float32

    def relative(self, plane: Plane) -> Plane:
        """The plane with 0 for the dark ground and 1 for the median of what shines."""
        return np.asarray((plane - self.dark) / (self.bright - self.dark), np.float32)


def measure_light(
    plane: Plane, diameter: float, *, background: Background = "local"
) -> Light | None:
    """The dark ground and the median of what shines; None where nothing does.

    Args:
        plane: One channel `[y, x]`, any range.
        diameter: Typical nuclear diameter in its pixels.
        background: See `find_foreground`.
    """
    found = find_foreground(plane, smooth=max(_SMOOTH * diameter, 0.7), background=background)
    if found is None:
        return None
    inside = found.mask > 0
    if not inside.any():
        return None
    dark = np.float32(np.percentile(plane, 0.5) if inside.all() else np.median(plane[~inside]))
    bright = np.float32(np.median(plane[inside]))
    if not bright > dark:
        return None
    return Light(dark, bright)


def relative_level(
    plane: Plane, diameter: float, *, background: Background = "local"
) -> Plane | None:
    """Brightness by the plane's own `measure_light`; None where nothing shines."""
    light = measure_light(plane, diameter, background=background)
    return None if light is None else light.relative(plane)


def body_level(stains: list[Plane], diameter: float) -> Plane | None:
    """The mean of several stains of the cell body, each by its own `relative_level`."""
    levels = [relative_level(stain, diameter, background="even") for stain in stains]
    return mean_level([level for level in levels if level is not None])


def mean_level(levels: Sequence[Plane]) -> Plane | None:
    """The mean of several stains that are on one scale; None where there is none."""
    if not levels:
        return None
    return np.asarray(sum(levels) / np.float32(len(levels)), np.float32)


def network_planes(nucleus: Plane, body: Plane | None) -> npt.NDArray[np.float32]:
    """`[3, y, x]` for the network from relative levels."""
    lit = np.clip(nucleus, 0, None)
    shown = np.zeros((PLANES, *nucleus.shape), np.float32)
    shown[0] = np.clip(nucleus, -1, _BRIGHTEST)
    shown[1] = np.log1p(lit / np.float32(_KNEE)) / np.float32(np.log1p(1 / _KNEE))
    if body is not None:
        shown[2] = np.clip(body, -1, _BRIGHTEST)
    return shown


def resized(plane: Plane, zoom: float) -> Plane:
    """The plane at `zoom` times its size: area means when it shrinks, else interpolated."""
    height, width = plane.shape
    size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
    if size == (width, height):
        return plane
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=how), np.float32)


def typical_diameter(labels: npt.NDArray[np.int32]) -> float:
    """Diameter in pixels of the circle as large as the typical region; 0 where there is none.

    The typical region is the one at half of the area heaped by size, so specks do not count.
    """
    area = np.bincount(labels.ravel())[1:]
    area = area[area > 0]
    if len(area) == 0:
        return 0.0
    return float(np.sqrt(4 / np.pi * weighted_median(area, area)))
