"""Large fields: size and light are measured on a sample, and the network looks once, in tiles.

All eight views of a field of tens of thousands of cells would take minutes, and their maps
gigabytes. Such a field is seen in one view, never enlarged; the planes of a tile are made when the
network comes to it, and its maps are kept as 16-bit numbers. Each tile shows as much around what
is kept of it as the network looks, and one landscape is flooded from markers of the whole field,
so that there are no seams.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.kernels.flood import flood_in_tiles
from cellwise.stages.segment.small_unet.look import (
    CELL_MAPS,
    NUCLEUS_MAPS,
    NUCLEUS_WINDOW,
    Predict,
    look_at,
)
from cellwise.stages.segment.small_unet.maps import Maps, cells_around, drop_debris, regions
from cellwise.stages.segment.small_unet.planes import (
    WORK_DIAMETER,
    Light,
    mean_level,
    measure_light,
    network_planes,
    resized,
    typical_diameter,
)
from cellwise.stages.segment.watershed.foreground import Labels, Plane, find_foreground
from cellwise.stages.segment.watershed.nuclei import reduced

# The sample is this many windows of this side, in pixels of the field.
_WINDOWS, _SIDE = 4, 550
# Among the windows that show something, in the order of how much: these places of 0..1. The
# fullest may be a scratch or a speck of dust.
_PLACES = (0.5, 0.65, 0.8, 0.95)
# Cells whose nucleus may lie beyond the frame are looked for so near it, in network pixels.
_RIM = 256


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample of a field told.

    Args:
        diameter: Typical nuclear diameter in pixels of the field.
        zoom: At which the network is shown the field, at most 1.
        nucleus: The light of the nucleus channel at this zoom.
        stains: That of each stain of the cell body; None where nothing shines.
    """

    diameter: float
    zoom: float
    nucleus: Light
    stains: tuple[Light | None, ...]

    @property
    def has_body(self) -> bool:
        """Whether a stain shows the cell body."""
        return any(light is not None for light in self.stains)


class Shown:
    """A field as the network is shown it, plane by plane, made when a part of it is asked for."""

    def __init__(self, sample: Sample, nucleus: Plane, stains: Sequence[Plane]) -> None:
        self._nucleus = (resized(nucleus, sample.zoom), sample.nucleus)
        self._stains = [
            (resized(stain, sample.zoom), light)
            for stain, light in zip(stains, sample.stains, strict=True)
            if light is not None
        ]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width at the sample's zoom."""
        height, width = self._nucleus[0].shape
        return height, width

    def __call__(self, rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        """See `network_planes`; `[plane, y, x]` of these rows and columns."""
        plane, light = self._nucleus
        body = [light.relative(stain[rows, columns]) for stain, light in self._stains]
        return network_planes(light.relative(plane[rows, columns]), mean_level(body))


def take_sample(
    nucleus: Plane, stains: Sequence[Plane], glance: Predict, *, split: float, debris: float
) -> Sample | None:
    """Measure a few windows that show much; None where nothing in the field looks like a nucleus.

    Args:
        nucleus: The nucleus channel `[y, x]`.
        stains: Stains of the cell body, as large.
        glance: The network in one view.
        split: See the segmenter.
        debris: Likewise.
    """
    windows = _windows(nucleus)
    if not windows:
        return None
    seen = _side_by_side(nucleus, windows)
    bodies = [_side_by_side(stain, windows) for stain in stains]
    shown = look_at(seen, bodies, glance, split=split, debris=debris, most_zoom=1.0)
    if shown is None:
        return None
    zoom = min(WORK_DIAMETER / shown.diameter, 1.0)
    light = measure_light(resized(seen, zoom), WORK_DIAMETER)
    if light is None:
        return None
    others = [measure_light(resized(b, zoom), WORK_DIAMETER, background="even") for b in bodies]
    return Sample(shown.diameter, zoom, light, tuple(others))


def find_nuclei(maps: Maps, *, split: float, debris: float) -> Labels:
    """Nuclei 1..n at the size of the maps, as `look.nuclei_in` finds them."""
    nuclei = regions(maps[NUCLEUS_MAPS], split=split, window=NUCLEUS_WINDOW, flood=flood_in_tiles)
    return drop_debris(nuclei, debris, typical_diameter(nuclei))


def find_cells(nuclei: Labels, maps: Maps, *, split: float) -> Labels:
    """Cells at the size of the maps, see `cells_around`."""
    return cells_around(nuclei, maps[CELL_MAPS], split=split, rim=_RIM, flood=flood_in_tiles)


def _windows(plane: Plane) -> list[tuple[slice, slice]]:
    """Windows of the sample; none where nothing stands out."""
    side = min(_SIDE, *plane.shape)
    shrink = max(-(-max(plane.shape) // (2 * _SIDE)), 1)
    found = find_foreground(reduced(plane, shrink), smooth=1.0)
    if found is None:
        return []
    shares: list[tuple[float, tuple[slice, slice]]] = []
    for top in range(0, plane.shape[0] - side + 1, side):
        for left in range(0, plane.shape[1] - side + 1, side):
            window = slice(top, top + side), slice(left, left + side)
            small = (slice(w.start // shrink, -(-w.stop // shrink)) for w in window)
            shares.append((float(np.mean(found.mask[tuple(small)] > 0)), window))
    shares = sorted((one for one in shares if one[0] > 0), key=lambda one: one[0])
    places = {round(place * (len(shares) - 1)) for place in _PLACES} if shares else set()
    if len(places) < _WINDOWS:
        return [window for _, window in shares[-1:]]
    return [shares[place][1] for place in sorted(places)]


def _side_by_side(plane: Plane, windows: Sequence[tuple[slice, slice]]) -> Plane:
    """The windows as one image, two by two."""
    seen = [plane[window] for window in windows]
    if len(seen) < _WINDOWS:
        return np.ascontiguousarray(seen[0])
    return np.block([seen[:2], seen[2:]])
