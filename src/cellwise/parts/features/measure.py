"""All features of all cells of a field."""

import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Field, Masks
from cellwise.kernels.boxes import Boxes, as_labels, find_boxes
from cellwise.kernels.features.quantiles import ranked
from cellwise.parts.features import (
    granularity,
    intensity,
    landmarks,
    ridges,
    scales,
    shape,
    spots,
    texture,
    zones,
)
from cellwise.parts.features.panel import LANDMARKS, Panel
from cellwise.parts.features.view import LEAST_PIXELS, Signal, View, crop, make_signal, make_view

Numbers = npt.NDArray[np.float64]

_OF_A_STAIN = {"ridges": ridges, "spots": spots, "granularity": granularity, "texture": texture}
# Fewer pixels between cells say nothing of the background.
_LEAST_BACKGROUND = 500
# Of more pixels every second, third... is looked at.
_MOST_BACKGROUND = 20_000


def measure_cells(
    field: Field, masks: Masks, panel: Panel
) -> tuple[Boxes, npt.NDArray[np.float32]]:
    """Measure each cell of a field.

    Args:
        field: Pixels `[channel, y, x]` in 0..1.
        masks: Of the same field.
        panel: Of the same channels.

    Returns:
        The boxes of the cells, and float32 `[cell, number]`, named by `panel.names`, finite or NaN.
    """
    cells, nuclei = as_labels(masks.cells), as_labels(masks.nuclei)
    boxes = find_boxes(cells)
    levels = background(field.pixels, cells)
    result = np.full((len(boxes), len(panel.names)), np.nan, np.float32)
    for k, number in enumerate(boxes.ids):
        box = (int(boxes.y0[k]), int(boxes.x0[k]), int(boxes.y1[k]), int(boxes.x1[k]))
        view = make_view(cells, nuclei, int(number), box, panel.around)
        if len(view.at) < LEAST_PIXELS:
            result[k, 0] = len(view.at)
            continue
        planes = [crop(plane, box, panel.around) for plane in field.pixels]
        signals = [
            make_signal(view, plane, *level) for plane, level in zip(planes, levels, strict=True)
        ]
        result[k] = measure_view(view, signals, panel)
    return boxes, result


def measure_view(view: View, signals: list[Signal], panel: Panel) -> list[float]:
    """All numbers of one cell, as `panel.names` has them."""
    found = shape.measure(view)
    codes = zones.codes_of(view)
    for place in panel.measured:
        signal = signals[place]
        if panel.levels and "intensity" in panel.groups:
            found += intensity.measure_levels(view, signal)
        if panel.around:
            found += shape.measure_hu(view, signal)
        if "zones" in panel.groups:
            found += zones.measure(view, signal, codes)
        if "intensity" in panel.groups:
            found += intensity.measure(view, signal)
        if "scales" in panel.groups:
            found += scales.measure(signal)
        for name, group in _OF_A_STAIN.items():
            if name in panel.groups:
                found += group.measure(view, signal)
    if LANDMARKS not in panel.groups:
        return found
    for place, other in panel.pairs:
        found += landmarks.measure(view, signals[place], signals[other])
    for place in panel.stains:
        found += landmarks.measure_stain(signals[place], levels=panel.levels)
    return found


def background(
    pixels: npt.NDArray[np.float32], cells: npt.NDArray[np.unsignedinteger]
) -> list[tuple[float, float]]:
    """Level and noise of the background of each channel.

    The level is the 20th percentile of the pixels in no cell, the noise how far their median lies
    above it. Where fewer than 500 pixels are in no cell: the 1st percentile of the whole field, and
    how far the 5th lies above it.

    Args:
        pixels: `[channel, y, x]`.
        cells: Label image.
    """
    places = np.flatnonzero(cells == 0)
    enough = len(places) >= _LEAST_BACKGROUND
    if not enough:
        places = np.arange(cells.size)
    places = places[:: 1 + len(places) // _MOST_BACKGROUND]
    found = []
    for plane in pixels:
        low, high = _quantiles(plane, places, (0.2, 0.5) if enough else (0.01, 0.05))
        found.append((float(low), float(high - low)))
    return found


def _quantiles(
    plane: npt.NDArray[np.float32], at: npt.NDArray[np.int64], shares: tuple[float, ...]
) -> Numbers:
    """Quantiles of some pixels as numpy has them, in a tenth of the time."""
    wish = np.array(shares) * (len(at) - 1)
    below = np.floor(wish).astype(np.int64)
    above = np.minimum(below + 1, len(at) - 1)
    one, other = ranked(plane, at, np.concatenate([below, above])).reshape(2, -1)
    share = wish - below
    apart = other - one
    near_one = share < 0.5
    return np.asarray(np.where(near_one, one + apart * share, other - apart * (1 - share)))
