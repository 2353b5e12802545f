"""Regions of a label image: which touch and where, what to merge, how to renumber and fill."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.stages.segment._foreground import Labels, Mask, Plane


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
    return np.bincount(labels.ravel(), minlength=count)


def whole_pieces(labels: Labels) -> Labels:
    """Each label reduced to its largest connected piece (4 neighbours)."""
    pieces = _pieces(labels)
    size = np.bincount(pieces.ravel())
    owner = np.zeros(len(size), np.int32)
    owner[pieces.ravel()] = labels.ravel()
    size[owner == 0] = 0
    order = np.lexsort((-np.arange(len(size)), size))
    best = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    best[owner[order]] = order
    chosen = best[owner] == np.arange(len(size))
    result: Labels = np.where(chosen[pieces], labels, 0).astype(np.int32)
    return result


def _pieces(labels: Labels) -> Labels:
    """Connected pieces of equal label: components after pixels next to another label are cut.

    A doubled grid keeps touching labels apart: pixels sit at even places and the odd places
    between two pixels are solid only where both carry the same label.
    """
    height, width = labels.shape
    grid = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    solid = labels > 0
    grid[::2, ::2] = solid
    grid[1::2, ::2] = solid[1:] & (labels[1:] == labels[:-1])
    grid[::2, 1::2] = solid[:, 1:] & (labels[:, 1:] == labels[:, :-1])
    _, pieces = cv2.connectedComponents(grid, connectivity=4)
    cut: Labels = np.ascontiguousarray(pieces[::2, ::2])
    return cut
