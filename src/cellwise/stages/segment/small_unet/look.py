"""The size at which the network is shown a field: it measures nuclei and looks again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.stages.segment.small_unet.maps import Maps, drop_debris, measured_diameter, regions
from cellwise.stages.segment.small_unet.planes import (
    WORK_DIAMETER,
    body_level,
    network_planes,
    relative_level,
    resized,
    typical_diameter,
)
from cellwise.stages.segment.watershed.foreground import Labels, Plane
from cellwise.stages.segment.watershed.nuclei import coarse_diameter

Predict = Callable[[npt.NDArray[np.float32]], Maps]

NUCLEUS_MAPS, CELL_MAPS = slice(0, 3), slice(3, 6)
NUCLEUS_WINDOW = 5
# The coarse pass tells of the circle that fits into a nucleus, this share of one of equal area.
_INSCRIBED = 0.85
# It may be off by two; each pass of the network measures again, at most this often.
_LOOKS = 4
_AGREES = 0.9
# Enlarging further than this shows the network nothing new.
MOST_ZOOM = 2.5


@dataclass(frozen=True, slots=True)
class Shown:
    """One field as the network is shown it, what it says in one view, and what was measured.

    Args:
        planes: See `network_planes`.
        maps: Of one view.
        diameter: Typical nuclear diameter at full size.
        has_body: Whether a plane shows the cell body.
    """

    planes: npt.NDArray[np.float32]
    maps: Maps
    diameter: float
    has_body: bool


def look_at(
    plane: Plane,
    stains: list[Plane],
    glance: Predict,
    *,
    split: float,
    debris: float,
    most_zoom: float = MOST_ZOOM,
) -> Shown | None:
    """The field at the size of the coarse pass, then at those that the network measures itself."""
    first = diameter = coarse_diameter(plane) / _INSCRIBED
    shown = None
    for _ in range(_LOOKS if first > 0 else 0):
        zoom = min(WORK_DIAMETER / diameter, most_zoom)
        level = relative_level(resized(plane, zoom), WORK_DIAMETER)
        if level is None:
            break
        body = body_level([resized(stain, zoom) for stain in stains], WORK_DIAMETER)
        planes = network_planes(level, body)
        maps = glance(planes)
        nuclei = nuclei_in(maps, split=split, debris=debris)
        if nuclei.max(initial=0) == 0:
            break
        before = diameter
        diameter = float(np.clip(measured_diameter(nuclei) / zoom, first / 2, first * 2))
        shown = Shown(planes, maps, diameter, body is not None)
        if _AGREES < diameter / before < 1 / _AGREES:
            break
    return shown


def nuclei_in(maps: Maps, *, split: float, debris: float) -> Labels:
    """Nuclei 1..n at the size of the maps, without debris."""
    nuclei = regions(maps[NUCLEUS_MAPS], split=split, window=NUCLEUS_WINDOW)
    return drop_debris(nuclei, debris, typical_diameter(nuclei))
