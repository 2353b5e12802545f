"""Nuclei: foreground, pieces, edges between pieces, joined to nuclei, outline at half height.

Pieces are made small on purpose; which of them are one nucleus is decided afterwards, from shape,
brightness and size together (`_joining`). Sources: distance-transform watershed (Vincent and Soille
1991; Malpica et al. 1997 for touching nuclei); borders by watershed of the gradient from markers
(Meyer and Beucher 1990).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from cellwise.kernels.flood import flood
from cellwise.stages.segment.watershed.foreground import (
    Foreground,
    Labels,
    Mask,
    Plane,
    depth_inside,
    find_foreground,
    inscribed_circles,
    inscribed_diameter,
    largest,
    locally_bright,
    weighted_median,
)
from cellwise.stages.segment.watershed.joining import join_pieces
from cellwise.stages.segment.watershed.regions import (
    areas,
    fill_small_holes,
    merge_shallow,
    moments,
    renumber,
    roundness,
    saddles,
    smoothed,
    whole_pieces,
)
from cellwise.stages.segment.watershed.tidying import (
    Slivers,
    drop_debris,
    drop_out_of_focus,
    outline,
    without_holes,
)

# The coarse pass needs no more pixels than this along the longer side.
_PILOT_SIDE = 1100
# Nuclei are found at the resolution where they measure about this many pixels.
_WORK_DIAMETER = 24.0
_LOOKS = 4
# The bright core of a lone nucleus measures this share of it.
_CORE = 0.85
# A blob as round as this is one nucleus.
_LONE = 0.97
# Two measures that differ less than this are the same.
_AGREES = 0.8
# Pieces are looked for as if nuclei were this much smaller than measured: in crowds the measure is
# one of clumps, and pieces of one nucleus are joined again.
_SMALLER = 0.7
# Two peaks are one piece where the pass between them is this shallow, whatever else.
_SHALLOW = 0.95
# A border between two pieces is looked for outside the part above this share of their peaks.
_SURE = 0.7
# Widths in nuclear diameters: smoothing for the scale, for the foreground, of depth, of brightness
# and of the gradient, how far apart two peaks are at least, and how wide a tail of a nucleus is
# at most. These and the shares here were chosen on every second image of BBBC039 and DSB 2018,
# see docs/explain/segmentation.md.
_SMOOTH = 0.05
_FINE = 0.03
_SOFT_DEPTH = 0.05
_SOFT_LEVEL = 0.1
_SOFT_EDGE = 0.06
_APART = 0.3
_TAIL = 0.15
# Holes up to this area, in squared diameters, are nucleoli or dark texture.
_HOLE = 0.1


@dataclass(frozen=True, slots=True)
class Nuclei:
    """Nuclei as labels 1..n and their typical diameter in pixels (0 where there are none)."""

    labels: Labels
    diameter: float


@dataclass(frozen=True, slots=True)
class Scale:
    """At which resolution an image is worked on.

    Args:
        diameter: Typical nuclear diameter in pixels of the image.
        shrink: The image is reduced to 1/shrink.
        inside: Typical diameter there.
        smooth: Width (sigma) of the smoothing there.
    """

    diameter: float
    shrink: int
    inside: float
    smooth: float


def first_scale(plane: Plane) -> Scale | None:
    """The scale of an image; None where nothing stands out."""
    diameter = coarse_diameter(plane)
    if diameter == 0:
        return None
    shrink = max(int(diameter / _WORK_DIAMETER), 1)
    inside = diameter / shrink
    return Scale(diameter, shrink, inside, max(_FINE * inside, 0.7))


def find_nuclei(plane: Plane, *, split: float, debris: float, slivers: Slivers = "keep") -> Nuclei:
    """Label the nuclei in the nucleus channel.

    Args:
        plane: `[y, x]`, float32, any range.
        split: How readily what touches is taken apart: 0 never, 1 always, 0.5 where two nuclei are
            more likely than one.
        debris: What is smaller than this share of the image's median nuclear area is dropped.
        slivers: `keep` spares nuclei that the edge of the field cuts from `debris`; `drop` asks of
            them half of the median area.
    """
    none = Nuclei(np.zeros(plane.shape, np.int32), 0.0)
    scale = first_scale(plane)
    if scale is None:
        return none
    inside = scale.inside
    found = find_foreground(reduced(plane, scale.shrink), smooth=scale.smooth)
    if found is None:
        return none
    pieces, height, bright = pieces_of(found, inside)
    labels = join_pieces(pieces, height, bright, diameter=inside, split=split)
    labels = outline(labels, found.level, found.floor)
    labels = whole_pieces(smoothed(labels, round(_TAIL * inside)))
    labels = without_holes(labels, _HOLE * inside**2)
    labels = drop_debris(labels, found.level, debris, diameter=inside, slivers=slivers)
    labels = drop_out_of_focus(labels, found.level)
    if labels.max(initial=0) == 0:
        return none
    full = enlarged(labels, plane.shape)
    return Nuclei(renumber(full, areas(full, int(labels.max()) + 1) > 0), scale.diameter)


def reduced(plane: Plane, shrink: int) -> Plane:
    """The plane at 1/shrink of its size, by area means."""
    if shrink == 1:
        return plane
    height, width = plane.shape
    size = (max(width // shrink, 1), max(height // shrink, 1))
    result: Plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return result


def enlarged(labels: Labels, shape: tuple[int, ...]) -> Labels:
    """Labels at full size: nearest label, but the outer contour is interpolated and so smooth."""
    if labels.shape == shape:
        return labels
    size = (shape[1], shape[0])
    solid = cv2.resize((labels > 0).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    # Wherever the interpolated mask is above one half, a labelled pixel lies within one step.
    wide = np.where(
        labels > 0, labels, cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8))
    )
    near = cv2.resize(wide.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    return np.where(solid > 0.5, near, 0).astype(np.int32)


def coarse_diameter(plane: Plane) -> float:
    """Typical nuclear diameter: from above, by measuring again at the scale just measured.

    The first measure is of clumps. At each scale the texture inside a nucleus is smoothed away and
    the gaps between nuclei show; a smaller measure is looked into again, an equal one is taken.
    """
    shrink = -(-max(plane.shape) // _PILOT_SIDE)
    small = reduced(plane, shrink)
    found = find_foreground(small, smooth=1.0)
    diameter = 0.0 if found is None else inscribed_diameter(found.mask)
    for _ in range(_LOOKS if diameter else 0):
        found = find_foreground(small, smooth=max(_SMOOTH * diameter, 1.0))
        if found is None:
            return 0.0
        mask = _close(found.mask, diameter)
        cores = _close(locally_bright(found.level, mask, diameter), diameter)
        before, diameter = diameter, _measured(mask, cores)
        if diameter > before * _AGREES:
            break
    return float(diameter * shrink)


def _measured(mask: Mask, cores: Mask) -> float:
    """Typical diameter: of blobs that are round, however spotted, and of the cores of others."""
    _, blobs = cv2.connectedComponents(mask, connectivity=4)
    shapes = moments(blobs, int(blobs.max()) + 1)
    lone = roundness(shapes) >= _LONE
    whole = 2 * largest(blobs[mask > 0], depth_inside(mask)[mask > 0], len(shapes))[lone]
    if lone[1:].all():
        return weighted_median(whole, shapes[lone, 0]) if len(whole) else 0.0
    parts, sizes = inscribed_circles(np.where(lone[blobs], np.uint8(0), cores))
    diameters = np.concatenate([whole, parts / np.float32(_CORE)])
    return weighted_median(diameters, np.concatenate([shapes[lone, 0], sizes]))


def _close(mask: Mask, diameter: float) -> Mask:
    """Pores and nucleoli closed, hair and specks removed."""
    width = max(round(0.15 * diameter), 1) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    return fill_small_holes(opened, _HOLE * diameter**2)


def pieces_of(found: Foreground, diameter: float) -> tuple[Labels, Plane, Plane]:
    """Pieces of nuclei, the landscape they were found in, and the logarithm of the level."""
    finer = _SMALLER * diameter
    mask = _close(found.mask, finer)
    cores = _close(locally_bright(found.level, mask, finer), finer)
    height = _height(cores, found.level, finer)
    bright = np.log(found.level + np.float32(max(found.floor, 1e-6)))
    labels = _pieces(mask, cores, height, finer)
    return _edged(labels, mask, height, _steepness(bright, finer)), height, bright


def _pieces(mask: Mask, cores: Mask, height: Plane, diameter: float) -> Labels:
    """One piece per hill, without those that hardly stand out from their neighbour."""
    window = max(round(_APART * diameter), 1) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (window, window))
    tops = ((height >= cv2.dilate(height, kernel)) & (cores > 0)).astype(np.uint8)
    _, markers = cv2.connectedComponents(tops, connectivity=8)
    labels = flood(-height, markers, mask > 0)
    joined = merge_shallow(_peaks(labels, height), *saddles(labels, height), keep=_SHALLOW)
    labels = joined[labels]
    return renumber(labels, areas(labels, len(joined)) > 0)


def _edged(labels: Labels, mask: Mask, height: Plane, steep: Plane) -> Labels:
    """Borders moved to where brightness changes most: a dim nucleus ends at the bright one's edge.

    Numbers may have gaps afterwards where a piece has no sure part.
    """
    sure = np.where(height >= _SURE * _peaks(labels, height)[labels], labels, 0)
    return flood(steep, whole_pieces(sure.astype(np.int32)), mask > 0)


def _peaks(labels: Labels, height: Plane) -> Plane:
    inside = labels > 0
    return largest(labels[inside], height[inside], int(labels.max(initial=0)) + 1)


def _steepness(bright: Plane, diameter: float) -> Plane:
    soft = cv2.GaussianBlur(bright, (0, 0), max(_SOFT_EDGE * diameter, 0.7))
    steep: Plane = cv2.magnitude(
        cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    )
    return steep


def _height(mask: Mask, level: Plane, diameter: float) -> Plane:
    """A landscape with one hill per nucleus: depth inside the mask times relative brightness."""
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    depth = cv2.GaussianBlur(
        np.minimum(depth, 0.6 * diameter), (0, 0), max(_SOFT_DEPTH * diameter, 0.5)
    )
    soft = cv2.GaussianBlur(level, (0, 0), max(_SOFT_LEVEL * diameter, 0.5))
    window = max(round(diameter), 3) | 1
    near = cv2.dilate(soft, np.ones((window, window), np.uint8))
    bright = np.sqrt(soft / np.maximum(near, np.float32(1e-9)))
    height: Plane = (depth * bright).astype(np.float32)
    return height
