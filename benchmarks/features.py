"""Measured features: CPU time of a cell, its memory, and cp_measure beside us on the same cells.

    OMP_NUM_THREADS=1 python benchmarks/features.py [--sides 48 64 128] [--cells 9] [--repeats 7]
                                                    [--channels 4] [--json FILE]

Each case is a field of round cells of one diameter from a seed, a nucleus in each. Times are CPU
seconds of one thread, warmed, per cell, the field's background included: the median of the repeats
and the least and most. Where cp_measure (extra `cp-measure`) is installed, what both of us define
alike is measured by both in turn on the same fields: ratio of their time to ours, and the largest
relative difference. CellProfiler's other groups have no such peer here: they are defined otherwise.
"""

import argparse
import json
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.kernels.boxes import as_labels, find_boxes
from cellwise.kernels.features.distribution import describe
from cellwise.kernels.features.zones import correlate
from cellwise.parts.features import shape
from cellwise.parts.features.measure import measure_cells
from cellwise.parts.features.panel import panel_of
from cellwise.parts.features.view import make_view

ROLES = ("nucleus", "protein", "microtubule", "er", "actin", "mitochondria")


def make_field(side: int, cells: int, channels: int, seed: int = 0) -> tuple[Field, Masks]:
    """Round cells of this diameter on a grid, blurred noise in each channel."""
    rng = np.random.default_rng(seed)
    grid = int(np.ceil(np.sqrt(cells)))
    frame = grid * (side + 2) + 20
    y, x = np.mgrid[:frame, :frame]
    labels, nuclei = np.zeros((frame, frame), np.uint16), np.zeros((frame, frame), np.uint16)
    for number in range(1, cells + 1):
        row, column = divmod(number - 1, grid)
        middle = [10 + (side + 2) * (k + 0.5) for k in (row, column)]
        away = np.hypot(y - middle[0], x - middle[1])
        labels[away < side / 2] = number
        nuclei[away < side / 4.5] = number
    pixels = []
    for place in range(channels):
        noise = rng.random((frame, frame)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 1.5 + place)
        smooth = (smooth - smooth.min()) / np.ptp(smooth)
        grain = rng.normal(0, 0.01, smooth.shape)
        pixels.append(np.where(labels > 0, 0.1 + 0.5 * smooth, 0.05) + grain)
    names = tuple(Channel(role, role) for role in ROLES[:channels])
    field = Field("field", np.clip(pixels, 0, 1).astype(np.float32), names)
    return field, Masks(labels, nuclei)


def timed(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """CPU seconds of some repeats: median, least and most."""
    work()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}


def own_time(side: int, cells: int, channels: int, repeats: int) -> dict[str, Any]:
    """How long all features of a cell take, and how much memory a field more than its pixels."""
    field, masks = make_field(side, cells, channels)
    panel = panel_of(field.channels)
    taken = timed(lambda: measure_cells(field, masks, panel), repeats)
    tracemalloc.start()
    measure_cells(field, masks, panel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    per_cell = {name: round(1e3 * value / cells, 2) for name, value in taken.items()}
    return {
        "side": side, "channels": channels, "numbers": len(panel.names), "ms_per_cell": per_cell,
        "peak_mb": round(peak / 2**20, 1), "field_mb": round(field.pixels.nbytes / 2**20, 1),
    }  # fmt: skip


def alike(side: int, cells: int, repeats: int) -> list[dict[str, Any]]:
    """What cp_measure defines as we do: time in turn, and the largest relative difference."""
    from cp_measure.bulk import get_core_measurements, get_correlation_measurements

    field, masks = make_field(side, cells, 2)
    labels = as_labels(masks.cells)
    boxes = find_boxes(labels)
    core, pairs = get_core_measurements(), get_correlation_measurements()
    whole = masks.cells.astype(np.int64)
    one, other = (plane.astype(np.float64) for plane in field.pixels)
    none = np.zeros_like(field.pixels[0])
    places = [np.flatnonzero(labels == number).astype(np.int32) for number in boxes.ids]
    outlines = list(zip(boxes.y0, boxes.x0, boxes.y1, boxes.x1, strict=True))

    def our_shapes() -> Any:
        views = [
            make_view(labels, labels, int(number), (int(top), int(left), int(bottom), int(right)))
            for number, (top, left, bottom, right) in zip(boxes.ids, outlines, strict=True)
        ]
        return np.array([shape.measure(view)[:5] for view in views])

    def our_levels() -> Any:
        quarters = np.array([0.25, 0.5, 0.75])
        found = [describe(field.pixels[0], at, len(at), quarters)[0] for at in places]
        return np.array(found)[:, [0, 1, 4, 5, 6]]

    def our_pairs() -> Any:
        kept = (field.pixels[0], field.pixels[1], (none, none))
        return np.array([[correlate(*kept, at, len(at))[0, 0]] for at in places])

    levels = ("Mean", "Std", "LowerQuartile", "Median", "UpperQuartile")
    cases: list[tuple[str, Callable[[], Any], Callable[[], Any], list[str]]] = [
        (
            "area, perimeter, form factor", lambda: our_shapes()[:, [0, 1, 4]],
            lambda: core["sizeshape"](whole, None), ["Area", "Perimeter", "FormFactor"],
        ),
        (
            "mean, deviation, quartiles", our_levels, lambda: core["intensity"](whole, one),
            [f"Intensity_{level}Intensity" for level in levels],
        ),
        (
            "Pearson's correlation", our_pairs,
            lambda: pairs["pearson"](pixels_1=one, pixels_2=other, masks=whole),
            ["Correlation_Pearson"],
        ),
    ]  # fmt: skip
    rows = []
    for what, ours, theirs, names in cases:
        own, peer = timed(ours, repeats), timed(theirs, repeats)
        found, wanted = ours(), np.column_stack([theirs()[name] for name in names])
        rows.append(
            {
                "what": what,
                "side": side,
                "ms_per_cell": round(1e3 * own["median"] / cells, 3),
                "cp_measure_ratio": round(peer["median"] / own["median"], 1),
                "largest_difference": float(np.max(np.abs(found / wanted - 1))),
            }
        )
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[48, 64, 128])
    parser.add_argument("--cells", type=int, default=9)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    machine = {"processor": platform.processor() or platform.machine(), "numpy": version("numpy")}
    print(machine)
    own = [own_time(side, given.cells, given.channels, given.repeats) for side in given.sides]
    for row in own:
        print(row)
    peers = []
    if find_spec("cp_measure"):
        peers = alike(given.sides[-1], given.cells, given.repeats)
        for row in peers:
            print(row)
    else:
        print("cp_measure is not installed: pip install 'cellwise[cp-measure]'")
    if given.json:
        given.json.write_text(json.dumps({"machine": machine, "ours": own, "peers": peers}))


if __name__ == "__main__":
    main()
