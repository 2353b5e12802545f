"""Nuclei: foreground, split where a clump narrows or dims, outline at half height.

Sources: distance-transform watershed (Vincent and Soille 1991; Malpica et al. 1997 for touching
nuclei); passes between peaks compared with the peaks themselves, as in topological persistence.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from cellwise.kernels.flood import flood
from cellwise.stages.segment._foreground import (
    Labels,
    Mask,
    Plane,
    find_foreground,
    inscribed_diameter,
    largest,
    locally_bright,
)
from cellwise.stages.segment._regions import (
    areas,
    fill_small_holes,
    merge_shallow,
    renumber,
    saddles,
    whole_pieces,
)

# A first look needs no more pixels than this along the longer side.
_PILOT_SIDE = 1100
# Nuclei are found at the resolution where they measure about this many pixels.
_WORK_DIAMETER = 24.0
_LOOKS = 4
# The bright core of a lone nucleus measures this share of it.
_CORE = 0.85
# Two measures that differ less than this are the same.
_AGREES = 0.8
# A nucleus ends where its signal falls below this share of its mean.
_CUT = 0.6
# Widths in nuclear diameters: smoothing for the scale, for the foreground, of depth and of
# brightness, and how far apart two peaks are at least. Chosen on every second picture of BBBC039
# and DSB 2018, see docs/explain/segmentation.md.
_SMOOTH = 0.05
_FINE = 0.04
_SOFT_DEPTH = 0.05
_SOFT_LEVEL = 0.1
_APART = 0.3


@dataclass(frozen=True, slots=True)
class Nuclei:
    """Nuclei as labels 1..n and their typical diameter in pixels (0 where there are none)."""

    labels: Labels
    diameter: float


def find_nuclei(plane: Plane, *, split: float, debris: float) -> Nuclei:
    """Label the nuclei in the nucleus channel.

    Args:
        plane: `[y, x]`, float32, any range.
        split: Two peaks are two nuclei where the pass between them lies below this share of the
            lower peak; 0 never splits, 1 always does.
        debris: What is smaller than this share of the picture's median nuclear area is dropped.
    """
    none = Nuclei(np.zeros(plane.shape, np.int32), 0.0)
    diameter = _first_look(plane)
    if diameter == 0:
        return none
    shrink = max(int(diameter / _WORK_DIAMETER), 1)
    small = reduced(plane, shrink)
    inside = diameter / shrink
    found = find_foreground(small, smooth=max(_FINE * inside, 0.7))
    if found is None:
        return none
    mask = _close(found.mask, inside)
    cores = _close(locally_bright(found.level, mask, inside), inside)
    labels = _split(mask, cores, found.level, inside, split)
    labels = _outline(labels, found.level, found.floor)
    labels = _drop_debris(whole_pieces(labels), debris, inside)
    if labels.max(initial=0) == 0:
        return none
    full = enlarged(labels, plane.shape)
    return Nuclei(renumber(full, areas(full, int(labels.max()) + 1) > 0), diameter)


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


def _first_look(plane: Plane) -> float:
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
        before, diameter = diameter, inscribed_diameter(cores) / _CORE
        if diameter > before * _AGREES:
            break
    return float(diameter * shrink)


def _close(mask: Mask, diameter: float) -> Mask:
    """Pores and nucleoli closed, hair and specks removed."""
    width = max(round(0.15 * diameter), 1) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    return fill_small_holes(opened, 0.1 * diameter**2)


def _split(mask: Mask, cores: Mask, level: Plane, diameter: float, split: float) -> Labels:
    height = _height(cores, level, diameter)
    window = max(round(_APART * diameter), 1) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (window, window))
    tops = ((height >= cv2.dilate(height, kernel)) & (cores > 0)).astype(np.uint8)
    _, markers = cv2.connectedComponents(tops, connectivity=8)
    labels = flood(-height, markers, mask > 0)
    inside = labels > 0
    count = int(labels.max(initial=0)) + 1
    peaks = largest(labels[inside], height[inside], count)
    joined = merge_shallow(peaks, *saddles(labels, height), keep=split)
    labels = joined[labels]
    return renumber(labels, areas(labels, count) > 0)


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


def _outline(labels: Labels, level: Plane, floor: float) -> Labels:
    """Each nucleus cut at half of its own level, so that bright ones do not swell by their blur."""
    inside = labels > 0
    count = int(labels.max(initial=0)) + 1
    own = labels[inside]
    size = np.maximum(np.bincount(own, minlength=count), 1)
    mean = np.bincount(own, weights=level[inside], minlength=count) / size
    cut = np.maximum(_CUT * mean, floor).astype(np.float32)
    result: Labels = np.where(level >= cut[labels], labels, 0).astype(np.int32)
    return result


def _drop_debris(labels: Labels, debris: float, diameter: float) -> Labels:
    size = areas(labels, int(labels.max(initial=0)) + 1)
    size[0] = 0
    # Specks must not pull the median down, so it is taken over what could be a nucleus at all.
    likely = size[size > 0.1 * diameter**2]
    if len(likely) == 0:
        return np.zeros_like(labels)
    return renumber(labels, size >= debris * float(np.median(likely)))
