"""Does a network pass the teacher that labelled its cells? Accuracy over labelled fields, drawn.

    cellwise ladder OUT --rows taught [--world hard-150] [--seeds 5]
    python benchmarks/taught_networks.py OUT/ladder.json [MORE/ladder.json ...] --svg FIGURE

Reads the tables of new fields of one or several ladders with rows `taught`; prints macro average
precision with the 95 % interval, and draws it over the number of labelled fields, which is the last
word of a world's name. Draws nothing that the tables do not hold.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

ROWS = {
    "inherit": "#8a8f98",
    "network inherit": "#56B4E9",
    "teacher": "#0072B2",
    "network taught": "#D55E00",
    "mean of both": "#009E73",
    "truth": "#22262b",
}
WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 60, 170, 24, 56


def read(paths: list[Path]) -> list[dict[str, Any]]:
    """One entry for each row and world: fields, value, interval, cells, seeds."""
    found = []
    for path in paths:
        for line in json.loads(path.read_text(encoding="utf-8"))["lines"]:
            if line["table"] != "new" or line["row"] not in ROWS:
                continue
            found.append(
                {
                    "fields": int(line["world"].rsplit("-", 1)[-1]),
                    **{k: line[k] for k in ("row", "macro_ap", "low", "high", "cells", "seeds")},
                }
            )
    return sorted(found, key=lambda entry: (list(ROWS).index(entry["row"]), entry["fields"]))


def draw(found: list[dict[str, Any]]) -> str:
    """The figure as SVG."""
    counts = sorted({entry["fields"] for entry in found})
    least, most = math.log(counts[0] / 1.3), math.log(counts[-1] * 1.3)

    def x(fields: float) -> float:
        share = (math.log(fields) - least) / (most - least)
        return LEFT + share * (WIDE - LEFT - RIGHT)

    def y(value: float) -> float:
        return HIGH - BOTTOM - value * (HIGH - TOP - BOTTOM)

    marks = [
        f'<text x="{x(count):.1f}" y="{HIGH - BOTTOM + 18}" text-anchor="middle">{count:,}</text>'
        for count in counts
    ]
    for tenth in range(0, 11, 2):
        level = y(tenth / 10)
        marks.append(
            f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{level:.1f}" y2="{level:.1f}" '
            f'stroke="#dddddd"/><text x="{LEFT - 8}" y="{level + 4:.1f}" '
            f'text-anchor="end">{tenth / 10:.1f}</text>'
        )
    for place, (row, colour) in enumerate(ROWS.items()):
        own = [entry for entry in found if entry["row"] == row]
        if not own:
            continue
        # A little apart, so that intervals of several rows can be told.
        shift = 4 * (place - 2.5)
        points = [(x(entry["fields"]) + shift, entry) for entry in own]
        path = " ".join(f"{at:.1f},{y(entry['macro_ap']):.1f}" for at, entry in points)
        marks.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        for at, entry in points:
            marks.append(
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y(entry["low"]):.1f}" '
                f'y2="{y(entry["high"]):.1f}" stroke="{colour}"/><circle cx="{at:.1f}" '
                f'cy="{y(entry["macro_ap"]):.1f}" r="4" fill="{colour}"/>'
            )
        level = TOP + 20 * place + 12
        marks.append(
            f'<circle cx="{WIDE - RIGHT + 20}" cy="{level - 4}" r="4" fill="{colour}"/>'
            f'<text x="{WIDE - RIGHT + 30}" y="{level}">{row}</text>'
        )
    middle = (LEFT + WIDE - RIGHT) / 2
    marks += [
        f'<text x="{middle:.0f}" y="{HIGH - 14}" text-anchor="middle">labelled fields</text>',
        f'<text x="14" y="{TOP - 8}">macro average precision of cells of new fields</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" '
        f'font-family="sans-serif" font-size="12"><rect width="{WIDE}" height="{HIGH}" '
        f'fill="#ffffff"/>{"".join(marks)}</svg>\n'
    )


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ladders", nargs="+", type=Path)
    parser.add_argument("--svg", type=Path)
    given = parser.parse_args()
    found = read(given.ladders)
    if not found:
        raise SystemExit("None of these tables has a row of `taught` on new fields.")
    for entry in found:
        print(
            f"{entry['row']:16s} {entry['fields']:6,d} fields  {entry['macro_ap']:.3f} "
            f"[{entry['low']:.3f}, {entry['high']:.3f}]  n = {entry['cells']:,} cells, "
            f"{entry['seeds']} seeds"
        )
    if given.svg:
        given.svg.write_text(draw(found), encoding="utf-8")


if __name__ == "__main__":
    main()
