"""Outlines of labels along the edges of their pixels: polygons with holes, in whole numbers.

Coordinates count from the upper left corner of the image, so that the pixel in row y and column x
is the square from (x, y) to (x + 1, y + 1): the area of an outline is the number of its pixels, and
`kernels.polygons` gives back those pixels and no others. Pixels that meet at a corner only are two
polygons, and a ring never meets itself: where the walk along a border comes to a point again, it is
cut there, so that GEOS and JTS find every outline valid.

Source: borders followed along the cracks between pixels, with 4-connected objects (Kovalevsky,
CVGIP 46, 141, 1989); the simple-feature rules of OGC 06-103r4.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.components import label_components

Ring = npt.NDArray[np.int32]
Polygon = list[Ring]

# Down and right, for the walk along the top, right, bottom and left side of a pixel that keeps the
# pixel on its right; and the same for what lies to the left of the walk.
_AHEAD = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], np.int64)
_LEFT = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]], np.int64)
# From a pixel's upper left corner to the end of each side, (x, y).
_END = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.int64)


def outlines(labels: npt.NDArray[Any]) -> dict[int, list[Polygon]]:
    """The polygons of each label of a label image `[y, x]`, 0 being background.

    Returns:
        Per label, in the order of the numbers, its parts: each an outer ring and then its holes,
        int32 `[point, (x, y)]`, the first point not repeated. Outer rings have a positive area by
        the shoelace formula over (x, y), holes a negative one, as GeoJSON wants it.
    """
    image = np.ascontiguousarray(labels)
    points, starts, firsts = _walks(image)
    if not len(starts):
        return {}
    components = label_components(image)
    shells: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    value: dict[int, int] = {}
    bounds = np.append(starts, len(points))
    crossing = _meets_itself(points, starts, image.shape[1])
    for walk, (y, x) in enumerate(firsts.tolist()):
        part = int(components[y, x])
        value[part] = int(image[y, x])
        ring = points[bounds[walk] : bounds[walk + 1]]
        for piece in _cut(ring) if crossing[walk] else [ring]:
            if _doubled_area(piece) > 0:
                shells[part] = piece
            else:
                holes.setdefault(part, []).append(piece)
    found: dict[int, list[Polygon]] = {label: [] for label in sorted(set(value.values()))}
    for part in sorted(shells):
        found[value[part]].append([shells[part], *holes.get(part, [])])
    return found


def _walks(
    image: npt.NDArray[Any],
) -> tuple[Ring, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Corners of all closed walks; where each begins; a pixel `(y, x)` beside each."""
    sides, tops = _count(image)
    points = np.empty((sides, 2), np.int32)
    starts, firsts = np.empty(tops, np.int64), np.empty((tops, 2), np.int64)
    corners, walks = _walk(image, points, starts, firsts, _AHEAD, _LEFT, _END)
    return points[:corners].copy(), starts[:walks].copy(), firsts[:walks].copy()


def _meets_itself(points: Ring, starts: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.bool_]:
    """Whether a walk comes to one of its corners twice."""
    walk = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(points))))
    corner = points[:, 1].astype(np.int64) * (width + 1) + points[:, 0]
    order = np.lexsort((corner, walk))
    again = (walk[order][1:] == walk[order][:-1]) & (corner[order][1:] == corner[order][:-1])
    found = np.zeros(len(starts), np.bool_)
    found[walk[order][1:][again]] = True
    return found


def _cut(ring: Ring) -> list[Ring]:
    """A closed walk cut wherever it comes to a point again: rings that never meet themselves."""
    pieces: list[Ring] = []
    path: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for x, y in ring.tolist():
        point = (x, y)
        if point in place:
            begin = place[point]
            loop = path[begin:]
            pieces.append(np.array(loop, np.int32))
            for gone in loop[1:]:
                del place[gone]
            del path[begin + 1 :]
            continue
        place[point] = len(path)
        path.append(point)
    pieces.append(np.array(path, np.int32))
    return pieces


def _doubled_area(ring: Ring) -> int:
    x, y = ring[:, 0].astype(np.int64), ring[:, 1].astype(np.int64)
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


@numba.njit(cache=True, nogil=True)
def _at(image, y, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if y < 0 or x < 0 or y >= image.shape[0] or x >= image.shape[1]:
        return image.dtype.type(0)
    return image[y, x]


@numba.njit(cache=True, nogil=True)
def _count(image):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sides between a label and something else, and how many of them are on top of a pixel."""
    sides = tops = 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            value = image[y, x]
            if value == 0:
                continue
            if _at(image, y - 1, x) != value:
                tops += 1
                sides += 1
            sides += _at(image, y + 1, x) != value
            sides += _at(image, y, x - 1) != value
            sides += _at(image, y, x + 1) != value
    return sides, tops


@numba.njit(cache=True, nogil=True)
def _walk(image, points, starts, firsts, ahead, left, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Follow every border once; a corner is noted where the walk turns."""
    seen = np.zeros(image.shape, np.bool_)
    corners = walks = 0
    for top in range(image.shape[0]):
        for first in range(image.shape[1]):
            value = image[top, first]
            if value == 0 or seen[top, first] or _at(image, top - 1, first) == value:
                continue
            starts[walks], firsts[walks, 0], firsts[walks, 1] = corners, top, first
            walks += 1
            y, x, side = top, first, 0
            while True:
                if side == 0:
                    seen[y, x] = True
                before_y, before_x = y + ahead[side, 0], x + ahead[side, 1]
                beside_y, beside_x = before_y + left[side, 0], before_x + left[side, 1]
                turn = 1
                if _at(image, before_y, before_x) == value:
                    turn = -1 if _at(image, beside_y, beside_x) == value else 0
                if turn != 0:
                    points[corners, 0] = x + end[side, 0]
                    points[corners, 1] = y + end[side, 1]
                    corners += 1
                if turn == 0:
                    y, x = before_y, before_x
                elif turn == -1:
                    y, x = beside_y, beside_x
                side = (side + turn) % 4
                if y == top and x == first and side == 0:
                    break
    return corners, walks
