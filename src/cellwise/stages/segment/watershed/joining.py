"""Which pieces of a clump belong to one nucleus: pairs that touch are joined, the surest first.

For every pair the odds of being two nuclei are weighed from five measures. Their weights come from
a logistic regression over touching pieces of BBBC039 and DSB 2018 (every second image, nuclei
drawn by hand as truth) and, with a quarter of their weight, of simulated nuclei of strong texture;
`benchmarks/segmentation_joining.py` makes them again. Source: the idea of trees of merges with
learned odds is that of Liu, Seyedhosseini and Tasdizen 2016; here with six numbers and greedily.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.stages.segment.watershed.foreground import Labels, Plane, largest
from cellwise.stages.segment.watershed.regions import (
    areas,
    moments,
    renumber,
    roundness,
    saddles,
)

Numbers = npt.NDArray[np.float64]

# Log-odds of two nuclei: a constant, then per unit of each of the measures of `pair_measures`.
WEIGHTS = (-1.4, -3.4, 10.3, -7.2, 4.4, 2.7)
# What is as round as this is one nucleus, whatever its texture.
_ELLIPSE = 0.985
# Unless its pieces differ in brightness by more than this (natural logarithm): a factor of two.
_ALIKE = 0.7


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces and their touching pairs, as far as joining needs them.

    Args:
        peaks: Greatest height per piece `[label]`.
        shapes: Moments per piece `[label, 6]`, see `_regions.moments`.
        light: Sum of the logarithm of the level per piece `[label]`.
        pairs: Touching labels `[pair, 2]`, the smaller first.
        passes: The pass of each pair.
    """

    peaks: Numbers
    shapes: Numbers
    light: Numbers
    pairs: npt.NDArray[np.int64]
    passes: Numbers


def join_pieces(
    labels: Labels, height: Plane, bright: Plane, *, diameter: float, split: float
) -> Labels:
    """Join pieces that are one nucleus.

    Args:
        labels: Pieces 1..n.
        height: The landscape with one hill per nucleus.
        bright: Natural logarithm of the level.
        diameter: Typical nuclear diameter in pixels.
        split: 0 joins all that touches, 1 nothing, 0.5 what is more likely one nucleus than two.

    Returns:
        Labels 1..m, m <= n.
    """
    if split >= 1 or labels.max(initial=0) < 2:
        return labels
    labels = _whole_ellipses(labels, bright)
    pieces = measure(labels, height, bright)
    limit = np.inf if split <= 0 else float(np.log((1 - split) / split))
    joined = _greedy(pieces, diameter, limit)
    merged: Labels = joined[labels]
    return renumber(merged, areas(merged, len(joined)) > 0)


def _whole_ellipses(labels: Labels, bright: Plane) -> Labels:
    """Pieces that make up an ellipse by themselves and are alike in brightness are one nucleus."""
    _, blobs = cv2.connectedComponents((labels > 0).astype(np.uint8), connectivity=4)
    count, pieces = int(blobs.max()) + 1, int(labels.max()) + 1
    blob_of = np.zeros(pieces, np.int32)
    blob_of[labels.ravel()] = blobs.ravel()
    total = np.bincount(labels.ravel(), weights=bright.ravel(), minlength=pieces)
    light = total / np.maximum(areas(labels, pieces), 1)
    present = np.unique(labels[labels > 0])
    most, least = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(most, blob_of[present], light[present])
    np.minimum.at(least, blob_of[present], light[present])
    one = (roundness(moments(blobs, count)) >= _ELLIPSE) & (most - least <= _ALIKE)
    first = np.zeros(count, np.int32)
    first[blob_of[present]] = present
    result: Labels = np.where(one[blobs], first[blobs], labels)
    return result


def measure(labels: Labels, height: Plane, bright: Plane) -> Pieces:
    """Everything that joining asks of the pieces and their borders."""
    inside = labels > 0
    count = int(labels.max(initial=0)) + 1
    peaks = largest(labels[inside], height[inside], count).astype(np.float64)
    light = np.bincount(labels[inside], weights=bright[inside], minlength=count)
    pairs, passes = saddles(labels, height)
    shapes, ways = moments(labels, count), passes.astype(np.float64)
    return Pieces(peaks, shapes, light.astype(np.float64), pairs, ways)


def pair_measures(
    pieces: Pieces,
    one: npt.NDArray[Any],
    two: npt.NDArray[Any],
    passes: Numbers,
    diameter: float,
) -> Numbers:
    """Five measures `[pair, 5]` of pairs of pieces.

    The pass over the lower peak; roundness of the two (mean by area) and of their union; difference
    of their brightness and area of the union over the squared diameter (natural logarithms).
    """
    first, second = pieces.shapes[one], pieces.shapes[two]
    together = first[:, 0] + second[:, 0]
    ratio = passes / np.maximum(np.minimum(pieces.peaks[one], pieces.peaks[two]), 1e-9)
    apart = (first[:, 0] * roundness(first) + second[:, 0] * roundness(second)) / together
    step = np.abs(pieces.light[one] / first[:, 0] - pieces.light[two] / second[:, 0])
    size = np.log(together / diameter**2)
    return np.stack([ratio, apart, roundness(first + second), step, size], axis=1)


def _odds(
    pieces: Pieces,
    one: npt.NDArray[Any],
    two: npt.NDArray[Any],
    passes: Numbers,
    diameter: float,
) -> list[float]:
    measures = pair_measures(pieces, one, two, passes, diameter)
    odds: list[float] = (WEIGHTS[0] + measures @ np.array(WEIGHTS[1:])).tolist()
    return odds


def _greedy(pieces: Pieces, diameter: float, limit: float) -> npt.NDArray[np.int32]:
    """Which label each piece joins: pairs with the lowest odds first, up to `limit`."""
    count = len(pieces.peaks)
    near: list[dict[int, float]] = [{} for _ in range(count)]
    pairs = pieces.pairs.tolist()
    for (one, two), passed in zip(pairs, pieces.passes.tolist(), strict=True):
        near[one][two] = near[two][one] = passed
    odds = _odds(pieces, pieces.pairs[:, 0], pieces.pairs[:, 1], pieces.passes, diameter)
    queue = [(odd, *pair, 0, 0) for odd, pair in zip(odds, pairs, strict=True) if odd < limit]
    heapq.heapify(queue)
    parent, changes = list(range(count)), [0] * count
    while queue:
        _, one, two, *seen = heapq.heappop(queue)
        if parent[one] != one or parent[two] != two or seen != [changes[one], changes[two]]:
            continue
        parent[two] = one
        changes[one] += 1
        _unite(pieces, near, one, two)
        others = sorted(near[one])
        if not others:
            continue
        around, own = np.array(others), np.full(len(others), one)
        passes = np.array([near[one][other] for other in others])
        for odd, other in zip(_odds(pieces, own, around, passes, diameter), others, strict=True):
            if odd < limit:
                low, high = min(one, other), max(one, other)
                heapq.heappush(queue, (odd, low, high, changes[low], changes[high]))
    for label in range(count):
        while parent[label] != parent[parent[label]]:
            parent[label] = parent[parent[label]]
    return np.array(parent, np.int32)


def _unite(pieces: Pieces, near: list[dict[int, float]], one: int, two: int) -> None:
    """Piece `two` becomes part of `one`."""
    pieces.peaks[one] = max(pieces.peaks[one], pieces.peaks[two])
    pieces.shapes[one] += pieces.shapes[two]
    pieces.light[one] += pieces.light[two]
    near[one].pop(two)
    for other, passed in near[two].items():
        if other == one:
            continue
        near[other].pop(two)
        near[one][other] = near[other][one] = max(passed, near[one].get(other, passed))
    near[two] = {}
