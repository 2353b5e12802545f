"""Granularity: which share of the signal goes when bright grains of a size are opened away.

Of the signal smoothed with 0.8 pixels, by octagons of growing radius in pixels; each share is that
of the grains between this radius and the one before. Source: Serra, Image Analysis and Mathematical
Morphology (1982); CellProfiler's MeasureGranularity.
"""

import cv2
import numpy as np

from cellwise.kernels.features.distribution import average
from cellwise.parts.features.view import OBJECTS, Signal, View

RADII = (1, 2, 3, 5, 8)
_SMOOTH = 0.8
# Crosses and squares in turn grow to octagons, in a part of the time that discs take.
_STEPS = [
    cv2.getStructuringElement(cv2.MORPH_RECT if k % 2 else cv2.MORPH_CROSS, (3, 3))
    for k in range(max(RADII))
]
# The way back: all squares of a radius as one, which grows as far.
_GROWN = {
    radius: [
        *_STEPS[:radius:2],
        *([np.ones((2 * (radius // 2) + 1,) * 2, np.uint8)] if radius > 1 else []),
    ]
    for radius in RADII
}


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    return [f"{who}_Granularity_{radius}_{channel}" for radius in RADII for who in OBJECTS]


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell; 0 where there is no signal."""
    image = signal.at(_SMOOTH) * view.inside
    # In 16 bits openings take half the time.
    last = (image * np.float32(65535 / max(float(image.max()), 1e-9))).astype(np.uint16)
    whole = np.maximum(average(last, view.at, view.first), 1e-9)
    result: list[float] = []
    shrunk = last
    for radius in range(1, max(RADII) + 1):
        shrunk = cv2.erode(shrunk, _STEPS[radius - 1])
        if radius not in RADII:
            continue
        opened = shrunk
        for step in _GROWN[radius]:
            opened = cv2.dilate(opened, step)
        lost = average(last - opened, view.at, view.first)
        result += view.known(lost / whole).tolist()
        last = opened
    return result
