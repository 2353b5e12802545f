"""Outlines of cells as polygons: from the masks, a strip of a file at a time, and kept.

The bytes of an answer are little-endian: the number of polygons (uint32), then of each polygon its
owner and how many points it has (uint32 each), then all points, x and y as uint16 in pixels of the
field (a pixel's centre is meant).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.app.view.data.kept import Kept
from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.question import Rows
from cellwise.errors import FormatError
from cellwise.store.run.masks import mask_path, read_label_rows, read_labels

Ring = npt.NDArray[np.uint16]
Rings = tuple[Ring, ...]
# About 60 bytes a ring of a small cell; the outlines of 300,000 cells.
_BYTES_KEPT = 96e6


def _weight(rings: Rings) -> float:
    return 200.0 + sum(ring.nbytes + 120 for ring in rings)


@dataclass(frozen=True, slots=True)
class Outlines:
    """The outlines of one run's cells.

    Args:
        opened: The run.
        kept: Rings by row, see `Kept`.
    """

    opened: Opened
    kept: Kept[Rings]

    def of_rows(self, rows: Rows) -> list[Rings]:
        """The rings `[point, (x, y)]` of each of these cells; none where there is no mask."""
        found: list[Rings] = [()] * len(rows)
        # In the order of the table: the cells of a field lie in one file.
        for place in np.argsort(rows, kind="stable"):
            row = int(rows[place])
            found[place] = self.kept.give(row, partial(self._one, row))
        return found

    def of_field(self, site: int) -> list[Rings]:
        """The rings of all cells of a field, in the order of the table."""
        rows = self.opened.cells.of_site(site)
        known = [self.kept.get(row) for row in range(rows.start, rows.stop)]
        if all(rings is not None for rings in known):
            return [rings or () for rings in known]
        try:
            labels = read_labels(self._path(site))
        except (FormatError, OSError):
            return [()] * (rows.stop - rows.start)
        found = []
        for row in range(rows.start, rows.stop):
            y0, x0, y1, x1 = self.opened.cells.boxes[row]
            number = int(self.opened.cells.cell[row])
            found.append(rings_of(labels[y0:y1, x0:x1] == number, (int(y0), int(x0))))
            self.kept.put(row, found[-1])
        return found

    def _one(self, row: int) -> Rings:
        cells = self.opened.cells
        y0, x0, y1, x1 = (int(edge) for edge in cells.boxes[row])
        try:
            labels = read_label_rows(self._path(int(cells.site[row])), y0, y1)
        except (FormatError, OSError):
            return ()
        return rings_of(labels[:, x0:x1] == int(cells.cell[row]), (y0, x0))

    def _path(self, site: int) -> Path:
        return mask_path(self.opened.run.masks, self.opened.fields.ids[site], "cells")


def outlines_of(opened: Opened) -> Outlines:
    """The outlines of a run, none read yet."""
    return Outlines(opened, Kept(_BYTES_KEPT, _weight))


def rings_of(inside: npt.NDArray[np.bool_], corner: tuple[int, int]) -> Rings:
    """The outer rings of a region `[y, x]` whose upper left pixel is `corner` (y, x)."""
    if not inside.any():
        return ()
    found, _ = cv2.findContours(
        np.ascontiguousarray(inside, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    offset = np.array([corner[1], corner[0]])
    return tuple((ring[:, 0] + offset).astype(np.uint16) for ring in found)


def packed(cells: list[Rings], owners: npt.NDArray[np.integer]) -> bytes:
    """The bytes of an answer; `owners` is the number that stands for each cell."""
    rings = [ring for one in cells for ring in one]
    counts = [len(one) for one in cells]
    head = np.empty((len(rings), 2), "<u4")
    head[:, 0] = np.repeat(np.asarray(owners, "<u4"), counts)
    head[:, 1] = [len(ring) for ring in rings]
    points = np.concatenate(rings) if rings else np.empty((0, 2), np.uint16)
    first = np.array([len(rings)], "<u4")
    return first.tobytes() + head.tobytes() + points.astype("<u2").tobytes()
