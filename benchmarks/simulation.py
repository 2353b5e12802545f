"""Rendering fields with known truth: fields per second on one core, by size.

    python benchmarks/simulation.py [--json FILE] [--sizes 256 512 1024 2048] [--seconds 10]

Cells stand as densely as in the Kaggle HPA fields: 5 on 256 px, 22 on 512 px at 0.32 micrometres
per pixel; fields of 2048 px are drawn at 0.32 (352 cells) and at 0.08 (22 cells). Each cell shows
one or two of the 19 classes, one in thirty divides, all optics are on. Times are CPU seconds per
field after one field that is not counted. There is no other program here that draws these fields,
so every ratio is 1; the stages of the work are given beside the whole.
"""

import argparse
import json
import os
import platform
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import cv2

from cellwise.lab.synth.cells import place_cells
from cellwise.lab.synth.field import render_field
from cellwise.lab.synth.plan import CellLine, CellPlan, FieldPlan, OpticsPlan
from cellwise.lab.synth.randomness import generator

CELLS_PER_UM2 = 22 / 163.84**2
LINE = CellLine("line00", 1000.0, 1.3, 0.22, 0.6, (1.0, 1.0, 1.0, 1.0))
OPTICS = OpticsPlan((0.12, 0.12, 0.11, 0.12), 0.1, 150.0, 3.0, 100.0, 8, 1.0, 1, 0.02, 0.07)
PIXEL_SIZES = {2048: (0.32, 0.08)}


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of the result."""

    case: str
    who: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    ratio_to_ours: float


def draw_plan(index: int, size: int, pixel_size: float) -> FieldPlan:
    """A field whose cells show a bit of everything."""
    rng = generator(0, "benchmark", index)
    count = max(int(CELLS_PER_UM2 * (size * pixel_size) ** 2), 1)

    def draw_cell() -> CellPlan:
        mitotic = bool(rng.random() < 1 / 30)
        first, second = (int(k) for k in rng.choice(11, 2, replace=False) + 8 * rng.integers(2))
        first, second = (11 if mitotic else 0 if k == 11 else k for k in (first, second))
        weights = ((first, 1.0),) if rng.random() < 0.5 else ((first, 0.6), (second, 0.4))
        return CellPlan((first,), weights, 1.0, float(rng.random()), mitotic)

    cells = tuple(draw_cell() for _ in range(count))
    return FieldPlan(
        0,
        index,
        size,
        pixel_size,
        LINE,
        OPTICS,
        cells,
        tuple(draw_cell() for _ in range(5 * count)),
    )


def place(plan: FieldPlan) -> None:
    """The geometry alone."""
    place_cells(
        plan.size,
        pixel_size=plan.pixel_size,
        style=plan.line,
        count=len(plan.cells),
        rng=generator(plan.seed, "field", plan.index, "geometry"),
    )


def measure(size: int, pixel_size: float, *, seconds: float) -> list[Timing]:
    """The whole, and the geometry by itself."""
    plans = [draw_plan(index, size, pixel_size) for index in range(20)]
    case = f"{size} px, {pixel_size} um/px, {len(plans[0].cells)} cells"
    who: dict[str, Callable[[FieldPlan], object]] = {
        "cellwise": render_field,
        "cellwise, geometry only": place,
    }
    rows = []
    for name, draw in who.items():
        draw(plans[0])
        spent, wall, done = 0.0, time.perf_counter(), 0
        while spent < seconds and (done < 2 or time.perf_counter() - wall < 3 * seconds):
            cpu = time.process_time()
            draw(plans[done % len(plans)])
            spent += time.process_time() - cpu
            done += 1
        wall = time.perf_counter() - wall
        rows.append(Timing(case, name, spent / done, wall / done, _peak(draw, plans[0]), 1.0))
    return rows


def _peak(draw: Callable[[FieldPlan], object], plan: FieldPlan) -> float:
    tracemalloc.start()
    draw(plan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    """Print the table and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--seconds", type=float, default=10.0)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "opencv-python-headless"))
    print(f"{platform.processor() or platform.machine()}, {libraries}, 1 thread, load {load}")
    print(f"{'fields/s':>9} {'cpu ms':>9} {'wall ms':>9} {'peak MB':>8}  case, who")
    results: list[Timing] = []
    for size in chosen.sizes:
        for pixel_size in PIXEL_SIZES.get(size, (0.32,)):
            rows = measure(size, pixel_size, seconds=chosen.seconds)
            results += rows
            for row in rows:
                print(
                    f"{1 / row.cpu_s:9.2f} {row.cpu_s * 1e3:9.2f} {row.wall_s * 1e3:9.2f}"
                    f" {row.peak_mb:8.1f}  {row.case}, {row.who}"
                )
    if chosen.json:
        content = [asdict(row) for row in results]
        chosen.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
