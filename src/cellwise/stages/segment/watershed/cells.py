"""Cells around given nuclei: grown on a cytoplasm channel, or a ring where there is none.

Sources: seeded watershed (Vincent and Soille 1991) on brightness with a term for distance, in the
spirit of Jones, Carpenter and Golland 2005 (CellProfiler's "Propagation"); the ring is
CellProfiler's "Distance - N".
"""

import cv2
import numpy as np

from cellwise.kernels.flood import flood
from cellwise.stages.segment.watershed.foreground import Labels, Mask, Plane, find_foreground
from cellwise.stages.segment.watershed.nuclei import enlarged, reduced
from cellwise.stages.segment.watershed.regions import fill_small_holes, whole_pieces

# Cells are grown at the resolution where a nucleus measures about this many pixels.
_WORK_DIAMETER = 20.0
# A cell ends where its stain falls below this share of the level beside its nucleus.
_EDGE = 0.25
# Every cell has at least this rim around its nucleus, in nuclear diameters, so that its cytoplasm
# can be measured even where it does not shine.
_RIM = 0.25
# This much around a nucleus is its own cell's, so that a bright neighbour cannot flow around it.
_HELD = 0.15
# The level beside the nucleus is taken over this width.
_BESIDE = 0.2
# Holes up to this area, in squared nuclear diameters, are vacuoles or noise.
_HOLE = 0.3


def grow_cells(
    nuclei: Labels, diameter: float, stains: list[Plane], *, reach: float, ring: float
) -> Labels:
    """One cell around each nucleus, with the number of the nucleus.

    Args:
        nuclei: Labels 1..n.
        diameter: Typical nuclear diameter in pixels.
        stains: Channels that show the cell body; none gives rings.
        reach: How far a cell may extend from its nucleus, in nuclear diameters.
        ring: The same where no channel shows the cell body.
    """
    if nuclei.max(initial=0) == 0:
        return nuclei.copy()
    shrink = max(int(diameter / _WORK_DIAMETER), 1)
    seeds = nuclei if shrink == 1 else _shrunk(nuclei, shrink)
    body = _body([reduced(plane, shrink) for plane in stains], diameter / shrink)
    distance, nearest = _nearest(seeds)
    distance /= np.float32(diameter / shrink)
    if body is None:
        small = np.where(distance <= ring, nearest, 0).astype(np.int32)
    else:
        hole = _HOLE * (diameter / shrink) ** 2
        small = _grown(seeds, body, distance, nearest, reach=reach, hole=hole)
    cells = enlarged(small, nuclei.shape)
    return np.where(nuclei > 0, nuclei, cells).astype(np.int32)


def _shrunk(labels: Labels, shrink: int) -> Labels:
    height, width = labels.shape
    size = (max(width // shrink, 1), max(height // shrink, 1))
    # Float32 holds label numbers exactly up to 16 million.
    small = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, np.int32)


def _nearest(seeds: Labels) -> tuple[Plane, Labels]:
    """Distance to the nearest nucleus and that nucleus's number."""
    free = (seeds == 0).astype(np.uint8)
    distance, index = cv2.distanceTransformWithLabels(
        free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(index.max()) + 1, np.int32)
    table[index[free == 0]] = seeds[free == 0]
    nearest: Labels = table[index]
    return np.asarray(distance), nearest


def _body(stains: list[Plane], diameter: float) -> tuple[Plane, Mask] | None:
    """Mean of the stains on one scale, and where it stands out; None where none does."""
    smooth = max(0.08 * diameter, 1.0)
    found = [find_foreground(plane, smooth=smooth, background="even") for plane in stains]
    seen = [one for one in found if one is not None]
    if not seen:
        return None
    level = np.zeros_like(seen[0].level)
    mask = np.zeros_like(seen[0].mask)
    for one in seen:
        inside = one.level[one.mask > 0]
        level += one.level / np.float32(np.median(inside) if len(inside) else 1.0)
        mask |= np.where(one.level > one.floor, np.uint8(255), np.uint8(0))
    return level / np.float32(len(seen)), mask


def _grown(
    seeds: Labels,
    body: tuple[Plane, Mask],
    distance: Plane,
    nearest: Labels,
    *,
    reach: float,
    hole: float,
) -> Labels:
    level, mask = body
    near = distance <= _RIM
    allowed = ((mask > 0) & (distance <= reach)) | near
    # The valley between two bodies decides; on flat ground the nearer nucleus does.
    height = distance - np.minimum(level, 2.0)
    held = np.where(distance <= _HELD, nearest, 0).astype(np.int32)
    cells = flood(height, held, allowed)
    count = int(seeds.max()) + 1
    beside = (distance > 0) & (distance <= _BESIDE) & (cells > 0)
    size = np.maximum(np.bincount(cells[beside], minlength=count), 1)
    own = np.bincount(cells[beside], weights=level[beside], minlength=count) / size
    kept = (cells > 0) & ((level >= _EDGE * own[cells]) | (near & (nearest == cells)))
    kept = fill_small_holes(np.where(kept, np.uint8(255), np.uint8(0)), hole) > 0
    cells = np.where(kept, cells, 0)
    return whole_pieces(np.where(seeds > 0, seeds, cells).astype(np.int32))
