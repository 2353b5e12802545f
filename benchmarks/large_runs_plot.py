"""A picture of what `benchmarks.large_runs` measured: seconds and memory over cells.

    python -m benchmarks.large_runs_plot large.json FILE.svg

Both axes are logarithmic, so a line as steep as the dotted one grows in proportion to the cells.
Memory is shown without what the libraries alone take.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBRARIES_MB = 340
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#222222", "#888888")
# Of a panel, in pixels: left, top, width, height.
PANELS = ((70, 30, 250, 250), (410, 30, 250, 250))
WIDE, HIGH, CLASSES = 880, 350, 19

Point = tuple[float, float]


def lines(rows: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> dict[str, Any]:
    """Points of each case, by cells."""
    found: dict[str, list[Point]] = {}
    for row in rows:
        if row["classes"] == CLASSES:
            found.setdefault(row["case"], []).append((row["cells"], value(row)))
    return {case: sorted(points) for case, points in found.items() if len(points) > 1}


def panel(box: tuple[int, ...], title: str, drawn: dict[str, list[Point]]) -> list[str]:
    """One panel: axes with powers of ten, a dotted line of proportion, a line for each case."""
    left, top, wide, high = box
    cells = sorted({x for points in drawn.values() for x, _ in points})
    values = [max(y, 1e-3) for points in drawn.values() for _, y in points]
    low, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(cells[0]), math.log10(cells[-1])

    def x(value: float) -> float:
        return left + wide * (math.log10(value) - first) / (last - first)

    def y(value: float) -> float:
        return top + high * (1 - (math.log10(max(value, 1e-3)) - low) / (most - low))

    parts = [f'<text x="{left + wide / 2}" y="18" text-anchor="middle">{title}</text>']
    for power in range(low, most + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{at:.1f}" y2="{at:.1f}" '
                     f'stroke="#dddddd"/><text x="{left - 8}" y="{at + 4:.1f}" '
                     f'text-anchor="end">{10.0**power:,g}</text>')  # fmt: skip
    for count in cells:
        parts.append(f'<text x="{x(count):.1f}" y="{top + high + 20}" '
                     f'text-anchor="middle">{count:,}</text>')  # fmt: skip
    parts.append(f'<text x="{left + wide / 2}" y="{top + high + 42}" '
                 f'text-anchor="middle">cells</text>')  # fmt: skip
    start = 10.0**low * 2
    end = start * cells[-1] / cells[0]
    share = min(1.0, math.log10(10.0**most / start) / math.log10(end / start))
    until = cells[0] * (cells[-1] / cells[0]) ** share
    parts.append(f'<line x1="{x(cells[0]):.1f}" y1="{y(start):.1f}" x2="{x(until):.1f}" '
                 f'y2="{y(start * until / cells[0]):.1f}" stroke="#555555" '
                 f'stroke-dasharray="2 4"/>')  # fmt: skip
    for number, points in enumerate(drawn.values()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>'
                  for a, b in points]  # fmt: skip
    return parts


def picture(rows: list[dict[str, Any]]) -> str:
    """The whole figure as SVG."""
    seconds = lines(rows, lambda row: row["cpu_s"])
    memory = lines(rows, lambda row: max(row["peak_mb"] - LIBRARIES_MB, 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" '
        f'font-family="sans-serif" font-size="12"><rect width="{WIDE}" height="{HIGH}" '
        'fill="#ffffff"/>',
        *panel(PANELS[0], "CPU seconds", seconds),
        *panel(PANELS[1], "peak memory in MB beyond the libraries", memory),
    ]
    for number, case in enumerate(seconds):
        at, colour = 45 + 22 * number, COLOURS[number % len(COLOURS)]
        parts.append(f'<line x1="690" x2="712" y1="{at}" y2="{at}" stroke="{colour}" '
                     f'stroke-width="2"/><text x="720" y="{at + 4}">{case}</text>')  # fmt: skip
    at = 45 + 22 * len(seconds)
    parts.append(f'<line x1="690" x2="712" y1="{at}" y2="{at}" stroke="#555555" '
                 f'stroke-dasharray="2 4"/>')  # fmt: skip
    parts.append(f'<text x="720" y="{at + 4}">in proportion</text>')
    return "".join([*parts, "</svg>\n"])


def main() -> None:
    """Draw the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("picture", type=Path)
    told = parser.parse_args()
    found = json.loads(told.rows.read_text(encoding="utf-8"))
    told.picture.write_text(picture(found["lines"]), encoding="utf-8")


if __name__ == "__main__":
    main()
