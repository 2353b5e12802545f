"""Single-cell extraction: ours beside plain numpy, on the same fields, taking turns, in one run.

    python benchmarks/extraction.py [--json FILE] [--cells 10 30 100] [--sizes 128] [--repeats 3]
                                    [--only-ours]

Each case is a field of 4 x 2048 x 2048 pixels from a seed. Before any clock runs, our crops are
compared with an exact area resize in float64. Times are CPU seconds of one thread from pixels and
label image to masked crops, our table of boxes included; the median of the repeats is given with
the spread (least to most). No method uses more than one thread.
"""

import argparse
import json
import os
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.crop_plan import CropPlan
from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.crop import crop_cells, crop_windows
from cellwise.parts.memory import keep_freed_memory

SIDE = 2048
CHANNELS = 4
# Below this a ratio is noise on a machine that does other work too.
NO_DIFFERENCE = 1.5

Array = npt.NDArray[Any]
Extract = Callable[[Array, Array, int], Array]


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of the result."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float
    least_s: float
    most_s: float


def make_field(cells: int, dtype: str, seed: int = 0) -> tuple[Array, Array]:
    """Noise pixels, and cells as ellipses that fill about three quarters of the frame."""
    rng = np.random.default_rng(seed)
    grid = int(np.ceil(np.sqrt(cells)))
    step = SIDE / grid
    labels = np.zeros((SIDE, SIDE), np.uint16)
    y, x = np.mgrid[:SIDE, :SIDE]
    for number in range(1, cells + 1):
        row, column = divmod(number - 1, grid)
        down = (y - (row + 0.5) * step) / (step * rng.uniform(0.44, 0.56))
        across = (x - (column + 0.5) * step) / (step * rng.uniform(0.4, 0.5))
        labels[down**2 + across**2 < 1] = number
    top = int(np.iinfo(dtype).max)
    pixels = rng.integers(0, top, (CHANNELS, SIDE, SIDE), dtype=dtype, endpoint=True)
    return pixels, labels


def ours(pixels: Array, labels: Array, size: int) -> Array:
    """The kernels of this package."""
    boxes = find_boxes(labels)
    return crop_cells(pixels, labels, boxes=boxes, plan=_plan(size)).pixels


def numpy_loop(pixels: Array, labels: Array, size: int) -> Array:
    """The usual loop: where the cell is by a mask of the frame, slice, zero neighbours, average."""
    crops = []
    for number in range(1, int(labels.max()) + 1):
        y, x = np.nonzero(labels == number)
        cut, own = _cut(pixels, labels, y, x)
        crops.append(_block_mean(np.where((own == number) | (own == 0), cut, 0), size))
    return np.stack(crops)


def frame_masks(pixels: Array, labels: Array, size: int) -> Array:
    """As the winning systems do: a masked copy of the whole frame per cell, then slice, average."""
    crops = []
    for number in range(1, int(labels.max()) + 1):
        frame = pixels.copy()
        frame[:, (labels != number) & (labels != 0)] = 0
        y, x = np.nonzero(labels == number)
        cut, _ = _cut(frame, labels, y, x)
        crops.append(_block_mean(cut, size))
    return np.stack(crops)


WHO: dict[str, Extract] = {
    "cellwise": ours,
    "numpy loop, mask per cell": numpy_loop,
    "numpy, masked frame per cell": frame_masks,
}


def exact(pixels: Array, labels: Array, size: int) -> Array:
    """Area resize of the masked frame by dense weights in float64, slow and obvious."""
    boxes = find_boxes(labels)
    crops = np.empty((len(boxes), len(pixels), size, size))
    for cell, (top, left, side) in enumerate(crop_windows(boxes, _plan(size))):
        y, rows = _overlaps(top, side, size)
        x, columns = _overlaps(left, side, size)
        keep = (labels[y, x] == boxes.ids[cell]) | (labels[y, x] == 0)
        for channel, plane in enumerate(pixels):
            masked = plane[y, x] * keep / np.iinfo(plane.dtype).max
            crops[cell, channel] = rows @ masked @ columns.T
    return crops


def check(pixels: Array, labels: Array, size: int) -> float:
    """Largest difference between our crops and the exact ones.

    Raises:
        SystemExit: They are not equal, so no time would mean anything.
    """
    difference = float(np.abs(ours(pixels, labels, size) - exact(pixels, labels, size)).max())
    if difference > 1e-5:
        raise SystemExit(f"our crops differ from the exact ones by {difference}")
    return difference


def measure(
    pixels: Array, labels: Array, size: int, *, case: str, repeats: int, only_ours: bool = False
) -> list[Timing]:
    """All methods on one field, taking turns; the first turn is not counted."""
    methods = {"cellwise": ours} if only_ours else WHO
    clocks: dict[str, list[tuple[float, float]]] = {who: [] for who in methods}
    for turn in range(repeats + 1):
        for who, extract in methods.items():
            cpu, wall = time.process_time(), time.perf_counter()
            extract(pixels, labels, size)
            spent = (time.process_time() - cpu, time.perf_counter() - wall)
            if turn:
                clocks[who].append(spent)
    medians = {
        who: [statistics.median(v) for v in zip(*c, strict=True)] for who, c in clocks.items()
    }
    base = medians["cellwise"][0]
    return [
        Timing(
            case,
            who,
            cpu,
            wall,
            _peak(WHO[who], pixels, labels, size),
            cpu / base,
            min(clocks[who])[0],
            max(clocks[who])[0],
        )
        for who, (cpu, wall) in medians.items()
    ]


def _plan(size: int) -> CropPlan:
    return CropPlan(size, "mask_others", pad=0.0)


def _cut(pixels: Array, labels: Array, y: Array, x: Array) -> tuple[Array, Array]:
    """The square around these pixels, moved into the frame where it would leave it."""
    side = min(max(int(np.ptp(y)), int(np.ptp(x))) + 1, SIDE)
    top = int(np.clip((y.min() + y.max() + 1 - side) // 2, 0, SIDE - side))
    left = int(np.clip((x.min() + x.max() + 1 - side) // 2, 0, SIDE - side))
    window = np.s_[top : top + side, left : left + side]
    return pixels[(slice(None), *window)], labels[window]


def _block_mean(cut: Array, size: int) -> Array:
    """Mean of whole source pixels per output pixel: area averaging without fractions."""
    side = cut.shape[-1]
    edges = np.arange(size) * side // size
    sums = np.add.reduceat(np.add.reduceat(cut, edges, axis=1, dtype=np.float32), edges, axis=2)
    counts = np.diff([*edges, side]).astype(np.float32)
    return np.asarray(sums / np.outer(counts, counts) / np.iinfo(cut.dtype).max)


def _overlaps(origin: float, side: float, size: int) -> tuple[slice, npt.NDArray[np.float64]]:
    """Source pixels of the window, and their share in each output pixel."""
    step = side / size
    inside = slice(max(int(np.floor(origin)), 0), min(int(np.ceil(origin + side)), SIDE))
    begin = origin + np.arange(size)[:, None] * step
    pixel = np.arange(SIDE)[None, inside]
    shared = np.minimum(begin + step, pixel + 1) - np.maximum(begin, pixel)
    return inside, np.asarray(np.clip(shared, 0, None) / step)


def _peak(extract: Extract, pixels: Array, labels: Array, size: int) -> float:
    tracemalloc.start()
    extract(pixels, labels, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def _header() -> str:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    return f"{platform.processor() or platform.machine()}, {libraries}, 1 thread, load {load}"


def main() -> None:
    """Print the table, ratio first, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128])
    parser.add_argument("--dtypes", nargs="+", default=["uint8", "uint16"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-ours", action="store_true", help="for work on the speed itself")
    chosen = parser.parse_args()
    # As the step `cells` does, for all who are timed here.
    keep_freed_memory()
    print(_header())
    print(
        f"{'ratio':>8} {'cpu ms':>9} {'least..most':>15} {'wall ms':>9} {'peak MB':>8}  case, who"
    )
    results: list[Timing] = []
    for cells in chosen.cells:
        for dtype in chosen.dtypes:
            pixels, labels = make_field(cells, dtype)
            check(pixels, labels, chosen.sizes[0])
            for size in chosen.sizes:
                case = f"{cells} cells, {dtype}, {size} px"
                rows = measure(
                    pixels,
                    labels,
                    size,
                    case=case,
                    repeats=chosen.repeats,
                    only_ours=chosen.only_ours,
                )
                results += rows
                for row in rows:
                    note = (
                        ""
                        if row.who == "cellwise" or row.ratio_to_ours >= NO_DIFFERENCE
                        else (" (no difference)")
                    )
                    spread = f"{row.least_s * 1e3:.2f}..{row.most_s * 1e3:.2f}"
                    print(
                        f"{row.ratio_to_ours:8.1f} {row.cpu_s * 1e3:9.2f} {spread:>15}"
                        f" {row.wall_s * 1e3:9.2f} {row.peak_mb:8.1f}  {row.case}, {row.who}{note}",
                        flush=True,
                    )
    if chosen.json:
        content = [asdict(row) for row in results]
        chosen.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
