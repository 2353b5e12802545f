"""From the maps of the small network to nuclei and cells.

One hill of the distance map is one nucleus or cell; hills whose pass is nearly as high as the
lower peak are one. Nuclei seed the cells; what the maps show as a cell of its own at the edge of
the field, where its nucleus may be out of view, is a cell without a nucleus.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.kernels.boxes import Boxes, find_boxes
from cellwise.kernels.flood import flood
from cellwise.stages.segment.watershed.foreground import (
    Labels,
    Mask,
    Plane,
    largest,
    weighted_median,
)
from cellwise.stages.segment.watershed.regions import (
    areas,
    fill_small_holes,
    merge_shallow,
    renumber,
    saddles,
    whole_pieces,
)

# Floats in 0..1, or for large fields whole numbers with 65,535 for 1.
Maps = npt.NDArray[Any]
Flood = Callable[[npt.NDArray[Any], Labels, npt.NDArray[Any]], Labels]

# Chosen on images that a training had not seen (benchmarks/small_unet_cross_validation.py): what
# counts as inside, how far the hills are smoothed, in pixels, and how high the lowest hill is.
_INSIDE = 0.45
_SMOOTH = 1.3
_PEAK = 0.28
_HOLE = 60.0
_NUCLEUS_WINDOW, _CELL_WINDOW = 5, 9
# A nucleus is at most this many times as wide as the largest circle inside it.
_SLENDER = 1.3
# A cell without a nucleus has at least this share of the area of the typical cell.
_LEAST_CELL = 0.15


def regions(maps: Maps, *, split: float, window: int, flood: Flood = flood) -> Labels:
    """Regions 1..n of one kind from its maps `[inside, border, distance]`, each one hill.

    Args:
        maps: Probabilities and distances in 0..1.
        split: Two peaks are two regions where the pass between them lies below this share of the
            lower one.
        window: Peaks nearer than half of this many pixels are one.
        flood: How labels grow, see `kernels.flood`.
    """
    solid = np.where(_single(maps[0]) > _INSIDE, np.uint8(255), np.uint8(0))
    mask: Mask = fill_small_holes(solid, _HOLE)
    height = hills(_single(maps[1]), _single(maps[2]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (window, window))
    tops = (height >= cv2.dilate(height, kernel)) & (mask > 0) & (height > _PEAK)
    _, markers = cv2.connectedComponents(tops.astype(np.uint8), connectivity=8)
    labels = flood(-height, markers, mask > 0)
    count = int(labels.max(initial=0)) + 1
    if count == 1:
        return labels
    taken = labels > 0
    peaks = largest(labels[taken], height[taken], count)
    labels = merge_shallow(peaks, *saddles(labels, height), keep=split)[labels]
    labels = whole_pieces(labels)
    return renumber(labels, areas(labels, count) > 0)


def _single(plane: npt.NDArray[Any]) -> Plane:
    if plane.dtype == np.uint16:
        return plane * np.float32(1 / 65535)
    return np.asarray(plane, np.float32)


def hills(border: Plane, distance: Plane) -> Plane:
    """The distance map, lowered where the network sees a border."""
    # In place: copies of a large field cost more than the sums.
    height = border * np.float32(-0.5)
    height += 1
    height *= distance
    return np.asarray(cv2.GaussianBlur(height, (0, 0), _SMOOTH), np.float32)


def drop_debris(labels: Labels, debris: float, diameter: float) -> Labels:
    """Labels without regions smaller than `debris` times the typical one; renumbered 1..n.

    Args:
        labels: Regions.
        debris: Share of the median area.
        diameter: Expected diameter in pixels: specks must not pull the median down, so it is
            taken over what could be a nucleus of that size at all.
    """
    size = areas(labels, int(labels.max(initial=0)) + 1)
    size[0] = 0
    likely = size[size > 0.1 * diameter**2]
    if len(likely) == 0:
        return np.zeros_like(labels)
    return renumber(labels, size >= debris * float(np.median(likely)))


def measured_diameter(labels: Labels) -> float:
    """Typical diameter in pixels of regions of which some may be several nuclei in one.

    What is much larger than the largest circle inside it is a clump, and counts as its circle.
    """
    solid = (labels > 0).astype(np.uint8)
    count = int(labels.max(initial=0)) + 1
    inside = labels > 0
    if not inside.any():
        return 0.0
    # Without any background the transform is without bound.
    reach = np.minimum(cv2.distanceTransform(solid, cv2.DIST_L2, 5), max(labels.shape))
    circle = largest(labels[inside], reach[inside], count)
    area = areas(labels, count)
    round_one = np.sqrt(4 / np.pi * area[1:])
    return weighted_median(np.minimum(round_one, _SLENDER * 2 * circle[1:]), area[1:])


def cells_around(
    nuclei: Labels, maps: Maps, *, split: float, rim: int = 0, flood: Flood = flood
) -> Labels:
    """One cell per nucleus under its number, then cells of the frame without one.

    Args:
        nuclei: Regions 1..n at the size of the maps.
        maps: `[inside, border, distance]` of cells.
        split: See `regions`; for cells that have no nucleus.
        rim: How far from the frame these are looked for, in pixels; 0 for everywhere.
        flood: How labels grow, see `kernels.flood`.
    """
    outer = maps if rim == 0 else _near_frame(maps, rim)
    own = regions(outer, split=split, window=_CELL_WINDOW, flood=flood)
    lonely = _without_nucleus(own, nuclei)
    del own, outer
    count = int(nuclei.max(initial=0))
    seeds = np.where(nuclei > 0, nuclei, np.where(lonely > 0, lonely + count, 0))
    solid = np.where((_single(maps[0]) > _INSIDE) | (nuclei > 0), np.uint8(255), np.uint8(0))
    mask = fill_small_holes(solid, _HOLE)
    height = -hills(_single(maps[1]), _single(maps[2]))
    cells = flood(height, seeds.astype(np.int32, copy=False), mask > 0)
    cells = whole_pieces(np.where(nuclei > 0, nuclei, cells).astype(np.int32))
    return renumber(cells, areas(cells, int(cells.max(initial=0)) + 1) > 0)


def enlarged_smoothly(labels: Labels, inside: Plane, shape: tuple[int, int]) -> Labels:
    """Labels at full size with interpolated outlines.

    Each region is enlarged as a plane of its own and a pixel goes to the strongest; where regions
    end in background, the interpolated probability decides.

    Args:
        labels: Regions `[y, x]`.
        inside: Probability of being in any of them, same size.
        shape: Height and width wanted.
    """
    if labels.shape == shape:
        return labels
    # A hole that was filled must not open again.
    inside = _single(inside)
    sure = np.where(labels > 0, np.maximum(inside, np.float32(_INSIDE + 0.01)), inside)
    solid = cv2.resize(sure, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR) > _INSIDE
    best = np.zeros(shape, np.float32)
    result = np.zeros(shape, np.int32)
    boxes = find_boxes(labels)
    for number in range(len(boxes)):
        window, wide = _enlarged_region(labels, boxes, number, shape)
        better = wide > best[window]
        best[window][better] = wide[better]
        result[window][better] = boxes.ids[number]
    return np.where(solid, result, 0).astype(np.int32)


def _enlarged_region(
    labels: Labels, boxes: Boxes, number: int, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], Plane]:
    """Where one region lies at full size, and how much of it is in each pixel there, 0..1."""
    inner, outer, back = [], [], []
    ends = ((boxes.y0[number], boxes.y1[number]), (boxes.x0[number], boxes.x1[number]))
    for (start, stop), small, full in zip(ends, labels.shape, shape, strict=True):
        # One pixel around, so that the outline is interpolated too.
        first, last = max(int(start) - 1, 0), min(int(stop) + 1, small)
        scale = full / small
        begin, end = int(first * scale), min(int(np.ceil(last * scale)), full)
        inner.append(slice(first, last))
        outer.append(slice(begin, end))
        # From the middle of a full-size pixel back into the box.
        back.append((1 / scale, (begin + 0.5) / scale - 0.5 - first))
    own = (labels[inner[0], inner[1]] == boxes.ids[number]).astype(np.float32)
    move = np.array([[back[1][0], 0, back[1][1]], [0, back[0][0], back[0][1]]])
    wide = cv2.warpAffine(
        own,
        move,
        (outer[1].stop - outer[1].start, outer[0].stop - outer[0].start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return (outer[0], outer[1]), np.asarray(wide, np.float32)


def _near_frame(maps: Maps, rim: int) -> Maps:
    """The maps with nothing inside further than `rim` pixels from the frame."""
    kept = maps.copy()
    kept[0, rim:-rim, rim:-rim] = 0
    return kept


def _without_nucleus(cells: Labels, nuclei: Labels) -> Labels:
    """Of the regions, those that meet no nucleus, touch the frame and are no slivers."""
    count = int(cells.max(initial=0)) + 1
    size = areas(cells, count)
    keep = np.zeros(count, np.bool_)
    frame = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
    keep[frame] = True
    keep[cells[nuclei > 0]] = False
    if count > 1:
        keep &= size >= _LEAST_CELL * weighted_median(size[1:], size[1:])
    return renumber(cells, keep)
