"""Probability maps to cells and nuclei: ours beside scikit-image and OpenCV, in one run.

    python benchmarks/segmentation.py [--json FILE] [--cells 10 30 100 300] [--repeats 3]

Maps come from a seed, at a quarter of the field's side as a network gives them; labels are wanted
at full size. Before any clock runs, every method has to find each true cell once; the mean best IoU
with the truth, which was drawn at full size, is printed beside the times. Times are CPU seconds of
one thread from maps to label images, the median of the repeats with the spread (least to most),
methods taking turns after the checks.
"""
# longer than 300 lines because the maps and the methods beside us are read in one place.

import argparse
import json
import os
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label as connected
from skimage.morphology import closing, disk
from skimage.segmentation import watershed

from cellwise.stages.segment.hpa_unet.cell_rules import label_maps

NO_DIFFERENCE = 1.5
ABSENT = {"HPA-Cell-Segmentation": "hpacellseg", "cc3d": "cc3d"}

Array = npt.NDArray[Any]
Shape = tuple[int, int]
Method = Callable[[Array, Array, Shape], tuple[Array, Array]]


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
    count: int
    iou: float


def make_truth(cells: int, shape: Shape, seed: int = 0) -> tuple[Array, Array]:
    """Cells that touch along wavy borders or end in the open, and a nucleus in each; 1..n."""
    rng = np.random.default_rng(seed)
    height, width = shape
    rows = max(round(np.sqrt(cells * height / width)), 1)
    columns = -(-cells // rows)
    step_y, step_x = height / rows, width / columns
    far = np.ones(shape, np.uint8)
    place = np.arange(cells)
    y = (place // columns + 0.5 + rng.uniform(-0.12, 0.12, cells)) * step_y
    x = (place % columns + 0.5 + rng.uniform(-0.12, 0.12, cells)) * step_x
    far[y.astype(int), x.astype(int)] = 0
    distance, nearest = cv2.distanceTransformWithLabels(
        far, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, labelType=cv2.DIST_LABEL_PIXEL
    )
    number = np.zeros(cells + 1, np.float32)
    number[nearest[y.astype(int), x.astype(int)]] = place + 1
    small = min(step_y, step_x)
    wave = [
        cv2.resize(rng.normal(0, 0.04 * small, (rows * 3, columns * 3)), (width, height),
                   interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    ]  # fmt: skip
    down, right = np.mgrid[:height, :width].astype(np.float32)
    to_x, to_y = (
        (axis + shift).astype(np.float32) for axis, shift in zip((right, down), wave, strict=True)
    )
    named, apart = (
        cv2.remap(plane, to_x, to_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        for plane in (number[nearest], distance)
    )
    labels = np.where(apart < 0.6 * small, named, 0).astype(np.int32)
    return labels, np.where(apart < 0.33 * small, labels, 0)


def make_maps(
    labels: Array, nuclei: Array, *, shrink: int = 4, seed: int = 0
) -> tuple[Array, Array]:
    """What two networks might say of these cells: uint8 `[3, y, x]` at 1/shrink of the side."""
    rng = np.random.default_rng(seed)
    # Borders are drawn between touching objects, 6 pixels to each side in a field of 2048.
    wide = max(round(6 * np.sqrt(labels.size) / 2048), 1)
    return _maps(nuclei, wide, shrink, rng), _maps(labels, wide, shrink, rng)


def _maps(labels: Array, wide: int, shrink: int, rng: np.random.Generator) -> Array:
    window = np.ones((2 * wide + 1, 2 * wide + 1), np.uint8)
    plain = labels.astype(np.float32)
    highest = cv2.dilate(plain, window)
    lowest = cv2.erode(np.where(plain > 0, plain, np.float32(1e9)), window)
    contact = (highest > 0) & (lowest < highest)
    inside = (plain > 0) & ~contact
    size = (labels.shape[1] // shrink, labels.shape[0] // shrink)
    soft = []
    for plane in (contact, inside):
        small = cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        noise = cv2.GaussianBlur(rng.normal(0, 0.15, small.shape).astype(np.float32), (0, 0), 1.5)
        sure = cv2.GaussianBlur(small, (0, 0), 0.8)
        soft.append(np.clip(sure * (1 + noise), 0, 1))
    border, interior = soft[0], np.minimum(soft[1], 1 - soft[0])
    maps = np.stack([1 - border - interior, border, interior])
    return (maps * 255 + 0.5).astype(np.uint8)


def ours(nucleus: Array, cell: Array, shape: Shape) -> tuple[Array, Array]:
    """The rules on the maps' grid, edges at full size."""
    masks = label_maps(nucleus, cell, shape).masks
    return masks.cells, masks.nuclei


def plain_full(nucleus: Array, cell: Array, shape: Shape) -> tuple[Array, Array]:
    """The rules written with scikit-image, on full-size maps as HPA-Cell-Segmentation does."""
    return by_rules(_restored(nucleus, shape), _restored(cell, shape))


def plain_quarter(nucleus: Array, cell: Array, shape: Shape) -> tuple[Array, Array]:
    """The same on the maps as they are, labels enlarged to the nearest, as the fast fork does."""
    size = (shape[1], shape[0])
    cells, nuclei = (plane.astype(np.uint16) for plane in by_rules(nucleus, cell))
    return (
        cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST),
        cv2.resize(nuclei, size, interpolation=cv2.INTER_NEAREST),
    )


def opencv_full(nucleus: Array, cell: Array, shape: Shape) -> tuple[Array, Array]:
    """The thresholds of the rules with `cv2.watershed` at full size; holes are left alone."""
    nucleus, cell = _restored(nucleus, shape), _restored(cell, shape)
    share = nucleus[0].size / 2048**2
    free = cv2.add(nucleus[1], cell[1], dtype=cv2.CV_16U) < 0.95 * 255
    seeds = _large((free & (nucleus[2] > 0.15 * 255)).view(np.uint8), 500 * share)
    nuclei = _flooded(nucleus[2], seeds, nucleus[2] > 0.4 * 255)
    level = max(0.22 * 255, 0.5 * cv2.threshold(cell[2], 0, 255, cv2.THRESH_OTSU)[0])
    cells = _flooded(cell[2], nuclei, (cell[2] > level) | (cell[1] > 0.05 * 255))
    cells = cv2.morphologyEx(cells.astype(np.uint16), cv2.MORPH_CLOSE, disk(_radius(cells.shape)))
    cells = _kept(cells, 5500 * share)
    return cells, np.where(nuclei > 0, cells, 0)


WHO: dict[str, Method] = {
    "cellwise": ours,
    "scikit-image, quarter scale, nearest": plain_quarter,
    "OpenCV watershed, full size": opencv_full,
    "scikit-image, full size": plain_full,
}


def by_rules(nucleus: Array, cell: Array) -> tuple[Array, Array]:
    """The rules of HPA-Cell-Segmentation, one line after the other, at the size of the maps."""
    share = nucleus[0].size / 2048**2
    border, interior = nucleus[1] / 255, nucleus[2] / 255
    cell_border, cell_interior = cell[1] / 255, cell[2] / 255
    seeds = interior * (1 - (border + cell_border) > 0.05) > 0.15
    seeds = _kept(ndimage.label(seeds)[0], 500 * share)
    ground = interior > 0.4
    ground |= _kept(ndimage.label(~ground)[0], 1000 * share) != ndimage.label(~ground)[0]
    ground = _kept(ndimage.label(ground)[0], 8 * share) > 0
    nuclei = watershed(np.zeros(ground.shape), seeds, mask=ground, watershed_line=True)
    nuclei = connected(_kept(nuclei, 2500 * share))
    level = max(0.22, 0.5 * threshold_otsu(cell[2]) / 255)
    region = (cell_interior > level) & (cell_border <= 0.05)
    height = -np.maximum(cell_interior, level)
    cells = _kept(watershed(height, nuclei, mask=region), 5500 * share)
    cells = _filled(closing(cells, disk(_radius(cells.shape))))
    cells = _filled(watershed(height, cells, mask=(cells > 0) | (cell_border > 0.05)))
    cells = _kept(connected(cells, connectivity=1), 5500 * share)
    cells = connected(cells, connectivity=1)
    return cells, cells * (nuclei > 0)


def _radius(shape: tuple[int, ...]) -> int:
    return int(6 * np.sqrt(shape[0] * shape[1]) / 2048 + 0.5)


def _kept(labels: Array, least: float) -> Array:
    small = np.bincount(labels.ravel()) < least
    return np.where(small[labels], 0, labels).astype(labels.dtype)


def _filled(labels: Array) -> Array:
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            full = ndimage.binary_fill_holes(labels[box] == number)
            labels[box][full & (labels[box] == 0)] = number
    return labels


def _large(mask: Array, least: float) -> Array:
    return _kept(cv2.connectedComponents(mask, connectivity=4)[1], least)


def _flooded(plane: Array, markers: Array, mask: Array) -> Array:
    ground = int(markers.max()) + 1
    flooded = np.where(mask, markers, ground).astype(np.int32)
    cv2.watershed(cv2.merge([255 - plane] * 3), flooded)
    flooded[(flooded == ground) | (flooded < 0)] = 0
    return flooded


def _restored(maps: Array, shape: Shape) -> Array:
    size = (shape[1], shape[0])
    return np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in maps])


def best_iou(labels: Array, truth: Array) -> float:
    """Mean over true cells of the IoU with the label that fits best."""
    found, true = int(labels.max()) + 1, int(truth.max()) + 1
    joint = np.bincount(
        truth.ravel().astype(np.int64) * found + labels.ravel(), minlength=true * found
    )
    joint = joint.reshape(true, found)
    union = joint.sum(axis=1)[:, None] + joint.sum(axis=0)[None] - joint
    iou = np.where(union > 0, joint / np.maximum(union, 1), 0)
    return float(iou[1:, 1:].max(axis=1, initial=0).mean())


def measure(
    maps: tuple[Array, Array], truth: Array, *, case: str, repeats: int, who: Mapping[str, Method]
) -> list[Timing]:
    """All methods on one field, taking turns, each checked against the truth before."""
    quality = {name: _checked(name, method, maps, truth) for name, method in who.items()}
    clocks: dict[str, list[tuple[float, float]]] = {name: [] for name in who}
    for _ in range(repeats):
        for name, method in who.items():
            cpu, wall = time.process_time(), time.perf_counter()
            method(*maps, truth.shape)
            clocks[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    middle = {n: [statistics.median(v) for v in zip(*c, strict=True)] for n, c in clocks.items()}
    base = middle["cellwise"][0]
    return [
        Timing(
            case=case,
            who=name,
            cpu_s=cpu,
            wall_s=wall,
            peak_mb=quality[name][0],
            ratio_to_ours=cpu / base,
            least_s=min(clocks[name])[0],
            most_s=max(clocks[name])[0],
            count=quality[name][1],
            iou=quality[name][2],
        )
        for name, (cpu, wall) in middle.items()
    ]


def _checked(
    name: str, method: Method, maps: tuple[Array, Array], truth: Array
) -> tuple[float, int, float]:
    """Peak memory, number of cells and IoU, from a turn that no clock sees."""
    tracemalloc.start()
    cells, nuclei = method(*maps, truth.shape)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    count, wanted = len(np.unique(cells)) - 1, int(truth.max())
    iou = best_iou(cells, truth)
    if count != wanted or iou < 0.8 or np.any(nuclei[nuclei > 0] != cells[nuclei > 0]):
        raise SystemExit(f"{name} finds {count} of {wanted} cells, IoU {iou:.3f}: no time counts.")
    return peak, count, iou


def _header() -> str:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    names = ("numpy", "numba", "scikit-image", "opencv-python-headless")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{platform.processor() or platform.machine()}, {libraries}, 1 thread, load {load}"


def main() -> None:
    """Print the table, ratio first, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 30, 100, 300])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-ours", action="store_true", help="for work on the speed itself")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    print(_header())
    print(f"{'ratio':>8} {'cpu ms':>9} {'least..most':>15} {'peak MB':>8} {'IoU':>6}  case, who")
    who = {"cellwise": ours} if chosen.only_ours else WHO
    cases = [(cells, (2048, 2048)) for cells in chosen.cells] + [(40, (1536, 2560))]
    results: list[Timing] = []
    for cells, shape in cases:
        truth, nuclei = make_truth(cells, shape)
        case = f"{cells} cells, {shape[0]} x {shape[1]}"
        maps = make_maps(truth, nuclei)
        rows = measure(maps, truth, case=case, repeats=chosen.repeats, who=who)
        results += rows
        for row in rows:
            same = row.who != "cellwise" and row.ratio_to_ours < NO_DIFFERENCE
            spread = f"{row.least_s * 1e3:.1f}..{row.most_s * 1e3:.1f}"
            print(
                f"{row.ratio_to_ours:8.1f} {row.cpu_s * 1e3:9.2f} {spread:>15} {row.peak_mb:8.1f}"
                f" {row.iou:6.3f}  {row.case}, {row.who}{' (no difference)' if same else ''}",
                flush=True,
            )
    for name, module in ABSENT.items():
        print(f"not run: {name} ({'no loop written' if find_spec(module) else 'not installed'})")
    if chosen.json:
        content = [asdict(row) for row in results]
        chosen.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
