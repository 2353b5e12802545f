"""The table of what stands beside macro average precision, for a document and for a program."""

import math
from collections.abc import Sequence
from typing import Any

from cellwise.lab.benchmark.beside import FIGURES, Beside
from cellwise.lab.benchmark.compare import Line
from cellwise.lab.benchmark.inferiority import CLASS_MARGIN, MARGIN
from cellwise.lab.benchmark.page.words import DASH, number, said, three
from cellwise.lab.benchmark.statistics import Estimate

COLUMNS = (
    *("over_worlds", "over_worlds_low", "over_worlds_high"),
    *(
        f"{name}{what}"
        for name in FIGURES
        for what in ("", "_difference", "_difference_low", "_difference_high")
    ),
    *("not_inferior", "lowest_bound", "worst_class", "worst_class_difference"),
)
LEAD = (
    "Beside macro AP, means over worlds and paired differences with Student's interval over worlds "
    "(none where all worlds hold the same plates). A row is not inferior in a world where the "
    f"one-sided 95 % bound of its difference lies above -{MARGIN} and no class loses more than "
    f"{CLASS_MARGIN}:"
)


def record(line: Line) -> dict[str, Any]:
    """The difference over worlds and each figure with its own, keys as in `COLUMNS`."""
    found = three("over_worlds", line.over_worlds)
    for name, figure in line.beside.items():
        found[name] = number(figure.value.value)
        found |= three(f"{name}_difference", figure.difference)
    found["not_inferior"] = not_inferior(line)
    lowest = min(line.in_worlds, key=lambda one: one.lower, default=None)
    worst = min(line.in_worlds, key=lambda one: one.worst, default=None)
    found["lowest_bound"] = number(lowest.lower if lowest else None)
    found["worst_class"] = worst.worst_class if worst else None
    found["worst_class_difference"] = number(worst.worst if worst else None)
    return found


def not_inferior(line: Line) -> str:
    """In how many worlds the row is as good as its base; empty without a base."""
    if not line.in_worlds:
        return ""
    return f"{sum(one.not_inferior for one in line.in_worlds)} of {len(line.in_worlds)}"


def table(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows in words."""
    head = ["world", "row", "against", "difference in macro AP", "worlds not inferior"]
    head += [f"{title}{'' if more else ' (less is better)'}" for title, more in FIGURES.values()]
    rows = [
        [
            *(line.world, line.row, line.base or DASH, said(line.over_worlds, signed=True)),
            not_inferior(line) or DASH,
        ]
        + [_figure(line.beside[name]) for name in FIGURES]
        for line in lines
    ]
    return head, rows


def _figure(found: Beside) -> str:
    """`0.612, +0.021 [0.010, 0.032]`: the figure, and its paired difference."""
    value = said(Estimate(found.value.value, math.nan, math.nan))
    if found.difference is None:
        return value
    return f"{value}, {said(found.difference, signed=True)}"
