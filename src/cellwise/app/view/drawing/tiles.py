"""Tiles of fields in colour, small images of whole fields, and class maps over them."""

import numpy as np

from cellwise.app.view.data.kept import Kept
from cellwise.app.view.data.opened import Opened
from cellwise.app.view.drawing.bands import blended
from cellwise.app.view.drawing.planes import TILE, Plane, Planes
from cellwise.app.view.drawing.tinting import Shown
from cellwise.parts.drawing.images import Levels, encode, shrink, stretch

_BYTES_KEPT = 96e6
_SMALL = 240


class Tiles:
    """JPEGs of the fields of one run.

    Args:
        opened: The run.
        planes: Its channels.
    """

    def __init__(self, opened: Opened, planes: Planes) -> None:
        self._opened, self._planes = opened, planes
        self._kept: Kept[bytes] = Kept(_BYTES_KEPT, len)

    def tile(
        self, site: int, level: int, corner: tuple[int, int], shown: list[Shown]
    ) -> bytes | None:
        """One tile; None where there is none at this place.

        Args:
            site: The field.
            level: 0 for full size, each further one half as large.
            corner: Row and column of the tile, counted in tiles.
            shown: The channels that are drawn.
        """
        key = (site, level, corner, repr(shown))
        found = self._kept.give(key, lambda: self._drawn(site, level, corner, shown))
        return found or None

    def small(self, site: int, shown: list[Shown]) -> bytes:
        """The whole field, its longer side 240 pixels at most."""
        key = (site, "small", repr(shown))
        return self._kept.give(key, lambda: encode(shrink(self._whole(site, shown), _SMALL)))

    def _whole(self, site: int, shown: list[Shown]) -> Levels:
        pyramids = self._planes.channels(site, [one.place for one in shown])
        if not pyramids:
            return np.zeros((1, 1, 3), np.uint8)
        return _coloured([one.levels[-1] for one in pyramids], shown)

    def _drawn(self, site: int, level: int, corner: tuple[int, int], shown: list[Shown]) -> bytes:
        """The bytes of a tile; none where there is no such place."""
        pyramids = self._planes.channels(site, [one.place for one in shown])
        if not pyramids or not 0 <= level < len(pyramids[0].levels):
            return b""
        top, left = corner[0] * TILE, corner[1] * TILE
        parts = [one.levels[level][top : top + TILE, left : left + TILE] for one in pyramids]
        return encode(_coloured(parts, shown)) if parts[0].size else b""


def _coloured(parts: list[Plane], shown: list[Shown]) -> Levels:
    bounds = [(one.dark, one.bright) for one in shown]

    def levels(rows: slice) -> Levels:
        pixels = np.stack([part[rows] for part in parts]).astype(np.float32)
        return stretch(pixels / np.float32(65535), bounds)

    tall, wide = parts[0].shape
    return blended(levels, (tall, wide), [one.rgb for one in shown])
