"""Texture: Haralick's numbers of pairs 1 and 3 pixels apart, and patterns of brighter neighbours.

Of the signal smoothed with 0.8 pixels; for pairs in eight grey levels from 0 to its 99th percentile
in the cell. `Pattern_k` is the share of pixels that k of 8 neighbours, all in one arc, are at least
as bright as; 9 stands for bright neighbours in several arcs. Neighbours are 2 pixels away on an
axis and 1 and 1 on a diagonal, or 3, and 2 and 2.
"""

import numpy as np

from cellwise.kernels.features.textures import PATTERNS, measure_pairs, measure_patterns
from cellwise.parts.features.view import CELL, OBJECTS, SHARES, Signal, View

APART = (1, 3)
# Eight neighbours around a pixel, on both axes and on both diagonals, by how far away they are.
_RINGS = {2: (2, 1), 3: (3, 2)}
NEIGHBOURS = {
    far: np.array([(0, a), (b, b), (a, 0), (b, -b), (0, -a), (-b, -b), (-a, 0), (-b, b)], np.int64)
    for far, (a, b) in _RINGS.items()
}
_WHAT = ("Contrast", "InverseDifference", "AngularSecondMoment", "Entropy", "Correlation")
_SMOOTH = 0.8
# In units of the cell's mean signal.
_SLACK = 1e-4


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    made = [
        f"{who}_Texture_{name}_{apart}_{channel}"
        for apart in APART
        for who in OBJECTS
        for name in _WHAT
    ]
    made += [
        f"{who}_Texture_Pattern_{k}_{radius}_{channel}"
        for radius in NEIGHBOURS
        for who in OBJECTS
        for k in range(PATTERNS)
    ]
    return made


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell."""
    smooth = signal.at(_SMOOTH)
    top = max(signal.spread(_SMOOTH)[CELL, 4 + SHARES.index(0.99)], 1e-6)
    # A little up, so that rounding does not part equal pixels.
    levels = np.clip(smooth * np.float32(8 / top) + np.float32(1e-3), 0, 7).astype(np.uint8)
    found = [measure_pairs(levels, view.parts, view.at, apart) for apart in APART]
    found += [
        measure_patterns(smooth, view.at, view.first, steps, _SLACK)
        for steps in NEIGHBOURS.values()
    ]
    return [float(v) for one in found for v in view.known(one).ravel()]
