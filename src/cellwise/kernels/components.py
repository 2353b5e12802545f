"""Connected components of a mask or of a label image: number, measure, drop, fill, claim.

Images are read once as runs of equal value along rows, and all that follows is done with the few
thousand runs. Neighbours are the 4 beside a pixel. Source: run-based two-pass labelling
(He, Chao and Suzuki 2008) with union-find.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.flood import flood_into

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.uint8]


def label_components(
    image: npt.NDArray[Any], least: float = 0.0, out: Labels | None = None
) -> Labels:
    """Number the components of equal positive value 1..n, in the order of their first pixels.

    Args:
        image: Mask or label image `[y, x]` of whole numbers; touching labels stay apart.
        least: Components of fewer pixels are dropped.
        out: Where to put the result; may be the image itself, as below.
    """
    result = np.empty(image.shape, np.int32) if out is None else out
    _label(np.ascontiguousarray(image), least, result)
    return result


def keep_largest(labels: Labels) -> Labels:
    """Each label reduced to its largest component; of equal ones the first."""
    result = np.empty(labels.shape, np.int32)
    _keep_largest(np.ascontiguousarray(labels), int(labels.max(initial=0)), result)
    return result


def count_pixels(labels: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Pixels of each label from 0 to at least `count` - 1."""
    table = np.zeros(max(count, int(labels.max(initial=0)) + 1), np.int64)
    _count(np.ascontiguousarray(labels), table)
    return table


def drop_small(labels: Labels, least: float, out: Labels | None = None) -> Labels:
    """The labels without those of fewer than `least` pixels in all; numbers are kept."""
    result = np.empty(labels.shape, np.int32) if out is None else out
    _drop(np.ascontiguousarray(labels), int(labels.max(initial=0)), least, result)
    return result


def fill_small_holes(mask: Mask, area: float, out: Mask | None = None) -> Mask:
    """The mask (0, 1) with every component of background of fewer than `area` pixels closed."""
    result = np.empty(mask.shape, np.uint8) if out is None else out
    _close(np.ascontiguousarray(mask), area, result)
    return result


def fill_enclosed(labels: Labels, out: Labels | None = None) -> Labels:
    """The labels with every hole filled that one label alone encloses.

    A hole between several labels, or one at the edge of the image, may be open ground.
    """
    result = np.empty(labels.shape, np.int32) if out is None else out
    _enclose(np.ascontiguousarray(labels), result)
    return result


def claim_components(
    height: npt.NDArray[np.uint8], markers: Labels, mask: Mask, out: Labels | None = None
) -> Labels:
    """As `flood`, but components that hold one marker are painted instead of flooded."""
    result = markers.copy() if out is None else out
    contested = np.empty(mask.shape, np.uint8)
    if _claim(np.ascontiguousarray(mask), markers, result, contested):
        flood_into(height, result, contested)
    return result


@numba.njit(cache=True, nogil=True)
def _trace(image):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Runs `(row offsets, starts, stops, values)` and components `(that of each run, areas)`."""
    height, width = image.shape
    total = height
    for y in range(height):
        for x in range(1, width):
            total += image[y, x] != image[y, x - 1]
    offsets = np.empty(height + 1, np.int64)
    starts, stops = np.empty(total, np.int32), np.empty(total, np.int32)
    values, parent = np.empty(total, image.dtype), np.empty(total, np.int32)
    run = 0
    for y in range(height):
        offsets[y] = run
        x = 0
        while x < width:
            starts[run], values[run], parent[run] = x, image[y, x], run
            x += 1
            while x < width and image[y, x] == values[run]:
                x += 1
            stops[run] = x
            run += 1
        # Runs fill their row, so one step of the pair passes over no overlap.
        above, here = offsets[max(y - 1, 0)], offsets[y]
        while above < offsets[y]:
            if values[above] == values[here]:
                _unite(parent, above, here)
            above, here = _next_pair(stops, above, here)
    offsets[height] = run
    components, areas = _number(starts, stops, parent)
    return offsets, starts, stops, values, components, areas


@numba.njit(cache=True, nogil=True)
def _next_pair(stops, above, here):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The next two overlapping runs of two neighbouring rows."""
    if stops[above] < stops[here]:
        return above + 1, here
    if stops[above] > stops[here]:
        return above, here + 1
    return above + 1, here + 1


@numba.njit(cache=True, nogil=True)
def _unite(parent, one, two):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    while parent[two] != two:
        parent[two] = parent[parent[two]]
        two = parent[two]
    parent[max(one, two)] = min(one, two)


@numba.njit(cache=True, nogil=True)
def _number(starts, stops, parent):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Pieces 0..n-1 by their first run, and their areas; a parent always comes first."""
    components = np.empty(len(parent), np.int32)
    areas = np.zeros(len(parent), np.int64)
    count = 0
    for run in range(len(parent)):
        if parent[run] == run:
            components[run] = count
            count += 1
        else:
            components[run] = components[parent[run]]
        areas[components[run]] += stops[run] - starts[run]
    return components, areas[:count]


@numba.njit(cache=True, nogil=True)
def _paint(offsets, starts, stops, colours, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for y in range(len(offsets) - 1):
        for run in range(offsets[y], offsets[y + 1]):
            result[y, starts[run] : stops[run]] = colours[run]


@numba.njit(cache=True, nogil=True)
def _label(image, least, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    offsets, starts, stops, values, components, areas = _trace(image)
    names = np.zeros(len(areas), np.int32)
    colours = np.zeros(len(starts), np.int32)
    count = 0
    for run in range(len(starts)):
        if values[run] > 0 and areas[components[run]] >= least:
            if names[components[run]] == 0:
                count += 1
                names[components[run]] = count
            colours[run] = names[components[run]]
    _paint(offsets, starts, stops, colours, result)


@numba.njit(cache=True, nogil=True)
def _keep_largest(labels, top, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    offsets, starts, stops, values, components, areas = _trace(labels)
    best = np.full(top + 1, -1, np.int64)
    for run in range(len(starts)):
        known = best[values[run]]
        if known < 0 or areas[components[run]] > areas[known]:
            best[values[run]] = components[run]
    colours = np.zeros(len(starts), np.int32)
    for run in range(len(starts)):
        if values[run] > 0 and best[values[run]] == components[run]:
            colours[run] = values[run]
    _paint(offsets, starts, stops, colours, result)


@numba.njit(cache=True, nogil=True)
def _count(labels, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            table[labels[y, x]] += 1


@numba.njit(cache=True, nogil=True)
def _drop(labels, top, least, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    areas = np.zeros(top + 1, np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            areas[labels[y, x]] += 1
    names = np.arange(top + 1).astype(np.int32)
    names[areas < least] = 0
    names[0] = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            result[y, x] = names[labels[y, x]]


@numba.njit(cache=True, nogil=True)
def _close(mask, area, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    offsets, starts, stops, values, components, areas = _trace(mask)
    for run in range(len(starts)):
        if areas[components[run]] < area:
            values[run] = max(values[run], 1)
    _paint(offsets, starts, stops, values, result)


@numba.njit(cache=True, nogil=True)
def _enclose(labels, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    offsets, starts, stops, values, components, areas = _trace(labels)
    height = labels.shape[0]
    # The label around each hole: 0 while none was met, -1 for several or the edge of the image.
    around = np.zeros(len(areas), np.int32)
    for y in range(height):
        first, last = offsets[y], offsets[y + 1]
        for run in range(first, last):
            edge = y == 0 or y == height - 1 or run == first or run == last - 1
            if values[run] == 0 and edge:
                around[components[run]] = -1
            if run > first:
                _meet(values, components, around, run - 1, run)
        above, here = offsets[max(y - 1, 0)], first
        while above < first:
            _meet(values, components, around, above, here)
            above, here = _next_pair(stops, above, here)
    for run in range(len(starts)):
        if values[run] == 0:
            values[run] = max(around[components[run]], 0)
    _paint(offsets, starts, stops, values, result)


@numba.njit(cache=True, nogil=True)
def _meet(values, components, around, one, two):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if values[one] != 0:
        one, two = two, one
    if values[one] == 0 and values[two] != 0:
        known = around[components[one]]
        around[components[one]] = values[two] if known == 0 or known == values[two] else -1


@numba.njit(cache=True, nogil=True)
def _claim(mask, markers, result, contested):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Paint components with one marker; whether there are some with several, and where."""
    offsets, starts, stops, values, components, areas = _trace(mask)
    owner = np.zeros(len(areas), np.int32)
    for y in range(mask.shape[0]):
        for run in range(offsets[y], offsets[y + 1]):
            if values[run] == 0:
                continue
            for x in range(starts[run], stops[run]):
                marker = markers[y, x]
                if marker > 0 and owner[components[run]] != marker:
                    owner[components[run]] = marker if owner[components[run]] == 0 else -1
    several = owner.min() < 0
    for y in range(mask.shape[0]):
        for run in range(offsets[y], offsets[y + 1]):
            start, stop, own = starts[run], stops[run], owner[components[run]]
            contested[y, start:stop] = own < 0
            for x in range(start, stop):
                result[y, x] = own if own >= 0 else markers[y, x]
    return several
