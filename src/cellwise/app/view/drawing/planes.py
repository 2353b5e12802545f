"""Channels of fields as they are shown: decoded one by one, with coarser copies, and kept.

A channel is kept as uint16 (0..1 as 0..65535): a field of 6,000 px takes 96 MB for each channel
that is looked at, whatever the number of its channels.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.kept import Kept
from cellwise.app.view.data.opened import Opened
from cellwise.domain.records import Site
from cellwise.errors import CellwiseError, FormatError, InputError
from cellwise.parts.drawing.images import common_limits, limits
from cellwise.store.images.fields import read_field
from cellwise.store.run.sites import sites_of

Plane = npt.NDArray[np.uint16]
# Side of a tile, and of the coarsest copy: a field is seen whole in one tile.
TILE = 512
_MOST = np.float32(65535)
_BYTES_KEPT = 400e6
_CONTRAST_FIELDS = 4
_SAMPLE = 250_000
_TOGETHER = 2
# Of fields with more pixels one channel is decoded at a time: each takes ten bytes a pixel.
_LARGE = 3000**2


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A channel of a field: `levels[k]` is `[y, x]`, half as large as the one before.

    `source` is `image`, or `crops` where the file is gone and the images of cells stand in.
    """

    levels: tuple[Plane, ...]
    source: str


class Planes:
    """The channels of the fields of one run.

    Args:
        opened: The run.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._kept: Kept[Pyramid] = Kept(_BYTES_KEPT, _weight)
        self._sites: Kept[Site] = Kept(64)
        self._trouble: dict[int, str] = {}
        self._bounds: Kept[list[tuple[float, float]]] = Kept(64)

    def channel(self, site: int, place: int) -> Pyramid:
        """One channel of a field; from the cells' images where its file is gone."""
        return self._kept.give((site, place), lambda: self._read(site, place))

    def channels(self, site: int, places: list[int]) -> list[Pyramid]:
        """Several channels, decoded side by side."""
        frame = self._opened.fields.frame(site)
        if len(places) < 2 or frame is None or frame[0] * frame[1] > _LARGE:
            return [self.channel(site, place) for place in places]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            return list(pool.map(lambda place: self.channel(site, place), places))

    def trouble(self, site: int) -> str:
        """Why the images of a field are not shown; empty where they are, or were not asked for."""
        return self._trouble.get(site, "")

    def bounds(self) -> list[tuple[float, float]]:
        """Dark and bright of each channel for the whole run, from a few of its fields."""
        return self._bounds.give("run", self._common)

    def own_bounds(self, site: int) -> list[tuple[float, float]]:
        """Dark and bright of each channel of one field by itself."""
        places = range(len(self._opened.channels))
        return self._bounds.give(site, lambda: [self._limits(site, place) for place in places])

    def _common(self) -> list[tuple[float, float]]:
        ranks = self._opened.fields.ranks
        step = max(1, len(ranks) // _CONTRAST_FIELDS)
        sample = [int(site) for site in ranks[::step][:_CONTRAST_FIELDS]]
        found = []
        for place in range(len(self._opened.channels)):
            some = [self._limits(site, place) for site in sample]
            found.append(common_limits(some) if some else (0.0, 1.0))
        return found

    def _limits(self, site: int, place: int) -> tuple[float, float]:
        levels = self.channel(site, place).levels
        level = next((one for one in levels if one.size <= _SAMPLE), levels[-1])
        return limits((level / _MOST).astype(np.float32)[None])[0]

    def _read(self, site: int, place: int) -> Pyramid:
        channel = self._opened.channels[place]
        try:
            stored = self._site(site)
            files = tuple(file for file in stored.files if file.channel.key == channel.key)
            field = read_field(replace(stored, files=files), self._opened.images)
            # A read in progress must not hold the field in both types longer than it takes.
            pixels = field.pixels[0]
            plane = np.empty(pixels.shape, np.uint16)
            for rows in _bands(len(pixels)):
                plane[rows] = np.rint(np.clip(pixels[rows], 0, 1) * _MOST)
            return Pyramid(tuple(_levels(plane)), "image")
        except (CellwiseError, OSError) as error:
            self._trouble[site] = _words(error, self._opened.images)
        return Pyramid(tuple(_levels(self._from_crops(site, channel.key))), "crops")

    def _site(self, site: int) -> Site:
        name = self._opened.fields.ids[site]
        path = self._opened.run.sites
        rows = pl.scan_parquet(path).filter(pl.col("site_id") == name)
        return self._sites.give(name, lambda: sites_of(rows.collect())[0])

    def _from_crops(self, site: int, key: str) -> Plane:
        """The images of a field's cells, each where it was cut out; black elsewhere."""
        opened = self._opened
        rows = np.arange(len(opened.cells))[opened.cells.of_site(site)]
        frame = opened.fields.frame(site) or _reach(opened, rows)
        plane = np.zeros(frame, np.uint16)
        keys = [channel.key for channel in opened.crop_channels]
        if opened.store is None or key not in keys or not len(rows):
            return plane
        try:
            crops = opened.store.stored(rows)[:, keys.index(key)]
        except (FormatError, OSError):
            return plane
        for crop, (top, left, side) in zip(crops, opened.windows(rows).tolist(), strict=True):
            _paste(plane, crop, round(top), round(left), max(1, round(side)))
        return plane


def _words(error: Exception, images: Path) -> str:
    """Which file cannot be shown, where it was looked for, and what helps."""
    if not isinstance(error, InputError):
        return str(error)
    where = f"{error.path}: " if error.path else ""
    return f"{where}{error.reason} It was looked for in {images}. {error.remedy}".strip()


def _paste(plane: Plane, crop: npt.NDArray[np.float16], top: int, left: int, side: int) -> None:
    shown = np.clip(crop.astype(np.float32), 0, 1) * _MOST
    resized = cv2.resize(shown, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint16)
    tall, wide = plane.shape
    rows, columns = (
        slice(max(0, top), min(tall, top + side)),
        slice(max(0, left), min(wide, left + side)),
    )
    part = resized[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    if part.size:
        plane[rows, columns] = np.maximum(plane[rows, columns], part)


def _reach(opened: Opened, rows: npt.NDArray[np.int64]) -> tuple[int, int]:
    """The smallest frame with all cells in it."""
    if not len(rows):
        return 1, 1
    edges = opened.cells.boxes[rows].max(axis=0)
    return int(edges[2]), int(edges[3])


def _levels(plane: Plane) -> Iterator[Plane]:
    yield plane
    while max(plane.shape) > TILE:
        tall, wide = plane.shape
        size = (max(1, -(-wide // 2)), max(1, -(-tall // 2)))
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
        yield plane


def _bands(count: int) -> Iterator[slice]:
    for start in range(0, count, 512):
        yield slice(start, start + 512)


def _weight(pyramid: Pyramid) -> float:
    return float(sum(level.nbytes for level in pyramid.levels))
