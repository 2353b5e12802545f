"""Granularity: which share of the signal goes when bright grains up to a radius are opened away.

Of the signal smoothed with 0.8 pixels, by discs of growing radius in pixels; each share is that of
the grains between this radius and the one before. Source: Serra, Image Analysis and Mathematical
Morphology (1982); CellProfiler's MeasureGranularity.
"""

import cv2
import numpy as np

from cellwise.kernels.distribution import average
from cellwise.parts.features.view import OBJECTS, Signal, View, disc

RADII = (1, 2, 3, 4, 5, 8)
_SMOOTH = 0.8
_DISCS = {r: disc(r) for r in range(1, 6)}
# A disc of radius 8 is one of 5 moved over one of 3, in half the time.
_OPENINGS = [*((_DISCS[r],) for r in RADII if r <= 5), (_DISCS[5], _DISCS[3])]


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    return [f"{who}_Granularity_{radius}_{channel}" for radius in RADII for who in OBJECTS]


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell; 0 where there is no signal."""
    last = signal.at(_SMOOTH) * view.inside
    whole = np.maximum(average(last, view.at, view.first), 1e-9)
    result: list[float] = []
    for discs in _OPENINGS:
        opened = last
        for one in discs:
            opened = cv2.erode(opened, one)
        for one in discs:
            opened = cv2.dilate(opened, one)
        lost = average(last - opened, view.at, view.first)
        result += view.known(lost / whole).tolist()
        last = opened
    return result
