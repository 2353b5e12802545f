"""Labels found on a small grid, drawn at full size with smooth edges.

Where the four grid points around a full-size pixel agree, so does the pixel: whole rectangles are
filled. Only in the ribbon along edges are the values behind the labels interpolated linearly, as in
marching squares (Lorensen and Cline 1987), so that an edge lies where the value crosses its
threshold and not on the stairs of the grid. Between two cells each grid point votes with how sure
it is of its inside, so the border follows the valley between them. Areas and boxes are gathered
while drawing.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Full-size label images and where their cells lie.

    Args:
        cells: `[y, x]`, uint16, or uint32 above 65,535 cells; 1..n without gaps.
        nuclei: The same size and type; a nucleus has its cell's number and lies inside it.
        areas: int64 `[cell]`, pixels of each cell.
        boxes: int64 `[cell, (y0, x0, y1, x1)]`, half-open.
    """

    cells: npt.NDArray[Any]
    nuclei: npt.NDArray[Any]
    areas: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]


def enlarge(
    labels: npt.NDArray[np.int32],
    inner: Map,
    border: Map,
    levels: tuple[float, float],
    *,
    nuclei: npt.NDArray[np.uint8],
    nuclear_inner: Map,
    nuclear_level: float,
    shape: tuple[int, int],
) -> Drawn:
    """Draw the cells and nuclei of a grid `[y, x]` at the size `shape`.

    Args:
        labels: Cells 1..n on the grid.
        inner: How sure the inside of a cell is, 0..255.
        border: How sure the border between two cells is, 0..255.
        levels: A cell reaches as far as `inner` or `border` exceeds its level, both above 0.
        nuclei: Where nuclei are on the grid, 0 or 1; what lies outside all cells is cut off.
        nuclear_inner: How sure the inside of a nucleus is, 0..255.
        nuclear_level: A nucleus reaches as far as `nuclear_inner` exceeds it.
        shape: Height and width of the result; grid and result cover the same frame.
    """
    count = int(labels.max(initial=0))
    kind = np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32
    # One piece of memory, which the system hands out faster than two.
    cells, spots = np.empty((2, *shape), kind)
    table = np.zeros((count + 1, 5), np.int64)
    table[:, 1], table[:, 2] = shape
    _draw(
        labels,
        inner,
        border,
        nuclei,
        nuclear_inner,
        np.array([*levels, nuclear_level], np.float32),
        _places(labels.shape[0], shape[0]),
        _places(labels.shape[1], shape[1]),
        cells,
        spots,
        table,
    )
    kept = table[:, 0] > 0
    kept[0] = False
    if int(kept.sum()) < count:
        # A cell of single grid points can fall between full-size pixels.
        names = np.where(kept, np.cumsum(kept), 0).astype(kind)
        cells, spots = names[cells], names[spots]
    return Drawn(cells, spots, table[kept, 0].copy(), table[kept, 1:].copy())


def _places(
    points: int, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Grid point before each pixel, the share of the next one, and the first pixel per point."""
    middle = np.clip((np.arange(size) + 0.5) * points / size - 0.5, 0, points - 1)
    before = np.floor(middle).astype(np.int64)
    first = np.searchsorted(before, np.arange(points + 1))
    return before, (middle - before).astype(np.float32), first.astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _draw(labels, inner, border, nuclei, nuclear, levels, rows, columns, cells, spots, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # Arrays are handed on one by one: tuples and slices of them are counted, and that costs more
    # than the few pixels between four grid points.
    height, width = labels.shape
    first_row, down, first_column, right = rows[2], rows[1], columns[2], columns[1]
    for y in range(height):
        top, bottom = first_row[y], first_row[y + 1]
        if bottom <= top:
            continue
        y1 = min(y + 1, height - 1)
        begin, label, spot = 0, labels[y, 0], nuclei[y, 0]
        for x in range(width):
            x1 = min(x + 1, width - 1)
            here, inside = labels[y, x], nuclei[y, x]
            even = here == labels[y, x1] and here == labels[y1, x] and here == labels[y1, x1]
            even = even and inside == nuclei[y, x1]
            even = even and inside == nuclei[y1, x] and inside == nuclei[y1, x1]
            if even and here == label and inside == spot:
                continue
            area = top, bottom, begin, first_column[x]
            _fill(cells, spots, table, area, label, spot)
            begin, label, spot = first_column[x], here, inside
            if even:
                continue
            area = top, bottom, begin, first_column[x + 1]
            corners = ((y, x), (y, x1), (y1, x), (y1, x1))
            names = labels[y, x], labels[y, x1], labels[y1, x], labels[y1, x1]
            values = (
                _rises(inner, border, nuclei, nuclear, levels, names[0], corners[0]),
                _rises(inner, border, nuclei, nuclear, levels, names[1], corners[1]),
                _rises(inner, border, nuclei, nuclear, levels, names[2], corners[2]),
                _rises(inner, border, nuclei, nuclear, levels, names[3], corners[3]),
            )
            _draw_ribbon(names, values, area, down, right, cells, spots, table)
            begin = first_column[x + 1]
        _fill(cells, spots, table, (top, bottom, begin, cells.shape[1]), label, spot)


@numba.njit(cache=True, nogil=True)
def _fill(cells, spots, table, area, label, spot):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    top, bottom, begin, end = area
    if end <= begin:
        return
    kind = cells.dtype.type
    for y in range(top, bottom):
        for x in range(np.uint64(begin), np.uint64(end)):
            cells[y, x] = kind(label)
        for x in range(np.uint64(begin), np.uint64(end)):
            spots[y, x] = kind(label if spot else 0)
    if label > 0:
        _note(table, label, top, begin, bottom, end, (bottom - top) * (end - begin))


@numba.njit(cache=True, nogil=True)
def _note(table, label, top, left, bottom, right, area):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    table[label, 0] += area
    table[label, 1] = min(table[label, 1], top)
    table[label, 2] = min(table[label, 2], left)
    table[label, 3] = max(table[label, 3], bottom)
    table[label, 4] = max(table[label, 4], right)


@numba.njit(cache=True, nogil=True)
def _rises(inner, border, nuclei, nuclear, levels, label, corner):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """By how much a grid point lies above the levels of cells, border zone and nuclei, and `inner`.

    What was filled in or left out for other reasons than its level gets a small value of its own.
    """
    y, x = corner
    small = np.float32(1)
    body = np.float32(inner[y, x]) - levels[0]
    zone = np.float32(border[y, x]) - levels[1]
    core = np.float32(nuclear[y, x]) - levels[2]
    if label == 0:
        body, zone = min(body, -small), min(zone, -small)
    elif zone <= 0:
        body = max(body, small)
    core = max(core, small) if nuclei[y, x] else min(core, -small)
    return body, zone, core, np.float32(inner[y, x])


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _draw_ribbon(names, values, area, down, right, cells, spots, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The pixels between four grid points that do not agree."""
    top, bottom, begin, end = area
    kind = cells.dtype.type
    largest = max(max(names[0], names[1]), max(names[2], names[3]))
    alone = True
    for k in range(4):
        alone = alone and (names[k] == 0 or names[k] == largest)
    area, first_y, first_x, last_y, last_x = 0, bottom, end, top, begin
    zero = np.float32(0)
    for y in range(top, bottom):
        body, body_step = _along_row(values, 0, down[y])
        zone, zone_step = _along_row(values, 1, down[y])
        core, core_step = _along_row(values, 2, down[y])
        for x in range(begin, end):
            share = right[x]
            inside = body + share * body_step > zero or zone + share * zone_step > zero
            label = largest if inside else 0
            if inside and alone:
                area += 1
                first_y, last_y = min(first_y, y), y + 1
                first_x, last_x = min(first_x, x), max(last_x, x + 1)
            elif inside:
                label = _vote(names, values, down[y], share)
                _note(table, label, y, x, y + 1, x + 1, 1)
            spot = inside and core + share * core_step > zero
            cells[y, x] = kind(label)
            spots[y, x] = kind(label if spot else 0)
    if area > 0:
        _note(table, largest, first_y, first_x, last_y, last_x, area)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _along_row(values, which, share):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Between the upper and the lower grid points: the value at the left, and the step across."""
    left = values[0][which] + share * (values[2][which] - values[0][which])
    right = values[1][which] + share * (values[3][which] - values[1][which])
    return left, right - left


@numba.njit(cache=True, nogil=True)
def _vote(names, values, down, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Between two cells the border runs where there is least interior."""
    small = np.float32(1)
    low, left = small - down, small - right
    shares = low * left, low * right, down * left, down * right
    best, winner = np.float32(-1), names[0]
    for k in range(4):
        if names[k] == 0:
            continue
        votes = np.float32(0)
        for other in range(4):
            if names[other] == names[k]:
                votes += shares[other] * (values[other][3] + small)
        if votes > best:
            best, winner = votes, names[k]
    return winner
