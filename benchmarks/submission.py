"""Submission strings of a field: ours beside the published snippet's way, in one run.

    python benchmarks/submission.py [--json FILE] [--cells 30 100] [--repeats 5] [--only-ours]
                                    [--fields 1000]

A field of 2048 x 2048 pixels from a seed, cells as ellipses that fill about three quarters of it,
19 confidences for each. Both ways make the whole `PredictionString`: every cell once per class, its
mask as run lengths (COCO characters), zlib, base64. The snippet is that of the organisers: one
boolean image for each cell, made column-major, through pycocotools, of the extra `benchmarks`.
Before any clock runs the two strings are compared, byte by byte. Times are CPU seconds of one
thread; the median of the repeats with the spread.

With `--fields`, so many fields are written one after the other to a file, and the highest memory is
told after a tenth of them and after all: it does not grow.
"""

import argparse
import base64
import csv
import json
import os
import platform
import resource
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.kernels.runs import encode_masks

SIDE, CLASSES = 2048, 19

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of the result."""

    cells: int
    who: str
    cpu_s: float
    least_s: float
    most_s: float
    ratio_to_ours: float


def make_field(cells: int, seed: int = 0, side: int = SIDE) -> tuple[Array, Array]:
    """A label image and the confidences `[cell, class]` of its cells."""
    rng = np.random.default_rng(seed)
    grid = int(np.ceil(np.sqrt(cells)))
    step = side / grid
    labels = np.zeros((side, side), np.uint16)
    y, x = np.mgrid[:side, :side]
    for number in range(1, cells + 1):
        row, column = divmod(number - 1, grid)
        down = (y - (row + 0.5) * step) / (step * rng.uniform(0.44, 0.56))
        across = (x - (column + 0.5) * step) / (step * rng.uniform(0.4, 0.5))
        labels[down**2 + across**2 < 1] = number
    return labels, rng.random((cells, CLASSES)).astype(np.float32)


def ours(labels: Array, chances: Array) -> str:
    """All masks in one pass over the image."""
    masks = encode_masks(labels)
    return " ".join(
        f"{number} {chance:.5f} {masks[cell]}"
        for cell, row in enumerate(chances.tolist(), 1)
        for number, chance in enumerate(row)
    )


def snippet(labels: Array, chances: Array) -> str:
    """One boolean image for each cell, as the organisers showed it."""
    from pycocotools import mask as coco

    found = []
    for cell, row in enumerate(chances.tolist(), 1):
        mask = np.asfortranarray((labels == cell).astype(np.uint8))
        letters = coco.encode(mask)["counts"]
        text = base64.b64encode(zlib.compress(letters, zlib.Z_BEST_COMPRESSION)).decode()
        for number, chance in enumerate(row):
            found.append(f"{number} {chance:.5f} {text}")
    return " ".join(found)


def timed(work: Callable[[Array, Array], str], field: tuple[Array, Array], repeats: int) -> Array:
    """CPU seconds of each repeat."""
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        work(*field)
        taken.append(time.process_time() - begun)
    return np.array(taken)


def compare(cells: int, repeats: int, *, only_ours: bool) -> list[Timing]:
    """Both ways on one field, taking turns."""
    field = make_field(cells)
    ways: dict[str, Callable[[Array, Array], str]] = {"cellwise": ours}
    if not only_ours:
        ways["snippet"] = snippet
        if ours(*field) != snippet(*field):
            raise SystemExit(f"{cells} cells: the two strings differ.")
    taken = {who: timed(work, field, repeats) for who, work in ways.items()}
    own = statistics.median(taken["cellwise"].tolist())
    return [
        Timing(cells, who, statistics.median(each.tolist()), float(each.min()), float(each.max()),
               statistics.median(each.tolist()) / own)
        for who, each in taken.items()
    ]  # fmt: skip


def streamed(fields: int, cells: int = 30) -> list[float]:
    """Highest memory in MB after a tenth of so many fields, and after all, written to one file."""
    drawn = [make_field(cells, seed) for seed in range(3)]
    peaks = []
    with (
        tempfile.TemporaryDirectory() as folder,
        (Path(folder) / "submission.csv").open("w", encoding="utf-8", newline="") as handle,
    ):
        writer = csv.writer(handle, lineterminator="\n")
        for number in range(fields):
            writer.writerow((number, SIDE, SIDE, ours(*drawn[number % len(drawn)])))
            if number + 1 in (max(fields // 10, 1), fields):
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return peaks


def main() -> None:
    """Compare, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cells", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--fields", type=int, default=0)
    given = parser.parse_args()
    ours(*make_field(2, side=64))
    rows = [
        row for cells in given.cells for row in compare(
            cells, given.repeats, only_ours=given.only_ours
        )
    ]  # fmt: skip
    print("cells  who        CPU s    least    most     ratio")
    for row in rows:
        print(
            f"{row.cells:5}  {row.who:9} {row.cpu_s:8.4f} {row.least_s:8.4f} {row.most_s:8.4f} "
            f"{row.ratio_to_ours:8.1f}"
        )
    peaks = streamed(given.fields) if given.fields else []
    if peaks:
        print(
            f"{given.fields} fields: {peaks[0]:.0f} MB after a tenth, {peaks[-1]:.0f} MB after all"
        )
    if given.json:
        facts = {
            "machine": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "numpy": version("numpy"),
            "rows": [asdict(row) for row in rows],
            "peak_mb": peaks,
        }
        given.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
