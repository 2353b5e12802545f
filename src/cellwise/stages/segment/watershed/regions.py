"""Regions of a label image: which touch and where, what to merge, how to renumber and fill."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.kernels.components import count_pixels, keep_largest
from cellwise.stages.segment.watershed.foreground import Labels, Mask, Plane


def saddles(labels: Labels, height: Plane) -> tuple[npt.NDArray[np.int64], Plane]:
    """Touching pairs of regions and the highest pass between them.

    Returns:
        `pairs[n, 2]` with the smaller label first, and for each the largest value, over all places
        where the two touch, of the lower of the two pixels' heights.
    """
    firsts, seconds, passes = [], [], []
    for ahead, behind in (
        (np.s_[1:, :], np.s_[:-1, :]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        one, two = labels[ahead], labels[behind]
        touch = (one != two) & (one > 0) & (two > 0)
        firsts.append(np.minimum(one[touch], two[touch]).astype(np.int64))
        seconds.append(np.maximum(one[touch], two[touch]).astype(np.int64))
        passes.append(np.minimum(height[ahead][touch], height[behind][touch]))
    base = int(labels.max(initial=0)) + 1
    keys = np.concatenate(firsts) * base + np.concatenate(seconds)
    unique, where = np.unique(keys, return_inverse=True)
    top = np.full(len(unique), -np.inf, np.float32)
    np.maximum.at(top, where, np.concatenate(passes))
    return np.stack([unique // base, unique % base], axis=1), top


def merge_shallow(
    peaks: npt.NDArray[Any], pairs: npt.NDArray[np.int64], passes: Plane, *, keep: float
) -> npt.NDArray[np.int32]:
    """Which label each region joins: over the highest pass first, as long as the pass is shallow.

    Args:
        peaks: The greatest height in each region, by label; label 0 is background.
        pairs: Touching regions, from `saddles`.
        passes: The pass of each pair.
        keep: Two regions stay apart where the pass is below this share of the lower peak.
    """
    parent = np.arange(len(peaks), dtype=np.int32)
    highest = peaks.astype(np.float64).copy()

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = int(parent[label])
        return label

    for position in np.argsort(-passes, kind="stable"):
        one, two = (root(int(label)) for label in pairs[position])
        if one != two and passes[position] >= keep * min(highest[one], highest[two]):
            stay, go = (one, two) if highest[one] >= highest[two] else (two, one)
            parent[go] = stay
    return np.array([root(label) for label in range(len(peaks))], np.int32)


def moments(labels: Labels, count: int) -> npt.NDArray[np.float64]:
    """Area and sums of y, x, y*y, x*x, x*y per label, `[label, 6]`; they add up when labels do."""
    places = np.flatnonzero(labels)
    own = labels.ravel()[places]
    y, x = (axis.astype(np.float64) for axis in np.divmod(places, labels.shape[1]))
    sums = [np.bincount(own, weights=v, minlength=count) for v in (y, x, y * y, x * x, x * y)]
    size = np.bincount(own, minlength=count).astype(np.float64)
    return np.stack([size, *sums], axis=1)


def roundness(shapes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Area over that of the ellipse with the same moments: 1 for an ellipse of any aspect.

    Two touching discs have 0.89, a half disc 0.95, a ring or scattered pixels far less.
    """
    size = np.maximum(shapes[:, 0], 1.0)
    y, x = shapes[:, 1] / size, shapes[:, 2] / size
    # A pixel is a square and no point: a twelfth of a squared pixel to each variance.
    yy, xx = shapes[:, 3] / size - y * y + 1 / 12, shapes[:, 4] / size - x * x + 1 / 12
    xy = shapes[:, 5] / size - x * y
    spread = np.sqrt(np.maximum(yy * xx - xy * xy, 1e-9))
    return np.asarray(shapes[:, 0] / (4 * np.pi * spread))


def smoothed(labels: Labels, width: int) -> Labels:
    """Each label opened by a disc of this width: tails and hair go, the body stays."""
    if width < 3:
        return labels
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width | 1, width | 1))
    plane = labels.astype(np.float32)
    frame = {"borderType": cv2.BORDER_REPLICATE}
    deep = (labels > 0) & (cv2.erode(plane, kernel, **frame) == cv2.dilate(plane, kernel, **frame))
    # A pixel stays where some disc inside its own label covers it.
    high = cv2.dilate(np.where(deep, plane, np.float32(0)), kernel, **frame)
    low = cv2.erode(np.where(deep, plane, np.float32(np.inf)), kernel, **frame)
    result: Labels = np.where((high == plane) | (low == plane), labels, 0).astype(np.int32)
    return result


def fill_small_holes(mask: Mask, area: float) -> Mask:
    """The mask with every hole of at most `area` pixels closed."""
    _, holes, stats, _ = cv2.connectedComponentsWithStats(255 - mask, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= area
    small[0] = False
    filled: Mask = np.where(small[holes], np.uint8(255), mask)
    return filled


def renumber(labels: npt.NDArray[Any], keep: npt.NDArray[np.bool_]) -> Labels:
    """Labels 1..n without gaps, in the old order, of the regions that are kept."""
    keep = keep.copy()
    keep[0] = False
    table = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    result: Labels = table[labels]
    return result


def areas(labels: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Pixels per label 0..count-1."""
    return count_pixels(labels, count)


def whole_pieces(labels: Labels) -> Labels:
    """Each label reduced to its largest connected piece (4 neighbours)."""
    return keep_largest(labels)
