"""Spots at three scales, and the bright objects that one threshold parts from the rest.

A spot map is the signal smoothed finely less smoothed coarsely; spots are connected pixels that lie
more than four deviations above its median (quartile range over 1.349, 0.02 added), and at least
0.15 of the cell's mean signal. Objects are those above Otsu's threshold of the signal smoothed with
0.8 pixels. Counts and areas are log(1 + n), distances are from the outline of the nucleus in
pixels.
"""

import numpy as np

from cellwise.kernels.features.patches import (
    count_bright,
    measure_patches,
    otsu_threshold,
    signal_of,
)
from cellwise.parts.features.view import CELL, OBJECTS, SHARES, Numbers, Places, Plane, Signal, View

SCALES = ((0.8, 3.2), (1.6, 6.4), (3.2, 6.4))
_WHAT = (
    "LogCount", "AreaShare", "SignalShare", "LogMeanArea", "LogLargestArea", "BrightestShare",
    "BrightestThreeShare", "DistanceMean", "DistanceDeviation", "LogCountOfLarge", "Roundness",
)  # fmt: skip
_LOGARITHMS = [0, 3, 4, 9]
_QUARTILES = np.array([0.25, 0.5, 0.75, 1.0])
_ABOVE, _LEAST = 4.0, 0.15
_SMOOTH = 0.8


def names(channel: str) -> list[str]:
    """What `measure` gives."""
    made = [
        f"{who}_Spots_{name}_{fine}_{channel}"
        for fine, _ in SCALES
        for who in OBJECTS
        for name in (*_WHAT, "Peak", "PeakToDeviation")
    ]
    made += [f"Cells_Objects_{name}_{channel}" for name in _WHAT]
    made += [f"Cells_Objects_{name}_{channel}" for name in ("Contrast", "NucleusShare", "RimShare")]
    return made


def measure(view: View, signal: Signal) -> list[float]:
    """Numbers of one cell."""
    result: list[float] = []
    places = [view.places(who) for who in range(len(OBJECTS))]
    totals = [signal_of(signal.relative, at) for at in places]
    for fine, coarse in SCALES:
        spots = signal.at(fine) - signal.at(coarse)
        for who, found in enumerate(signal.describe(spots, _QUARTILES)[:, 4:]):
            if view.there[who]:
                result += _spots(view, signal, spots, places[who], totals[who], found.tolist())
            else:
                result += [np.nan] * (len(_WHAT) + 2)
    return [*result, *_objects(view, signal, totals[CELL])]


def _spots(
    view: View, signal: Signal, spots: Plane, at: Places, total: float, found: list[float]
) -> list[float]:
    low, middle, high, peak = found
    deviation = (high - low) / 1.349 + 0.02
    threshold = max(middle + _ABOVE * deviation, _LEAST)
    patches = measure_patches(spots, signal.relative, view.away, at, threshold, total)
    return [*_scaled(view, patches), peak, (peak - middle) / deviation]


def _objects(view: View, signal: Signal, total: float) -> list[float]:
    smooth = signal.at(_SMOOTH)
    top = signal.spread(_SMOOTH)[CELL, 4 + SHARES.index(0.995)]
    threshold, contrast = otsu_threshold(smooth, view.at, top)
    found = measure_patches(smooth, signal.relative, view.away, view.at, threshold, total)
    count, inner, rim = count_bright(smooth, view.away, view.at, view.first, threshold)
    shares = [np.nan, np.nan]
    if view.has_nucleus and count:
        shares = [inner / count, rim / count]
    return [*_scaled(view, found), contrast, *shares]


def _scaled(view: View, found: Numbers) -> list[float]:
    found[_LOGARITHMS] = np.log1p(found[_LOGARITHMS])
    if not view.has_nucleus:
        found[7:9] = np.nan
    made: list[float] = found.tolist()
    return made
