"""The table of what stands beside macro average precision, for a document and for a program."""

import math
from collections.abc import Sequence
from typing import Any

from cellwise.lab.benchmark.beside import FIGURES, Beside
from cellwise.lab.benchmark.compare import Line
from cellwise.lab.benchmark.page.words import DASH, number, said, three
from cellwise.lab.benchmark.statistics import Estimate

COLUMNS = (
    *("over_worlds", "over_worlds_low", "over_worlds_high"),
    *(
        f"{name}{what}"
        for name in FIGURES
        for what in ("", "_difference", "_difference_low", "_difference_high")
    ),
)
LEAD = (
    "Beside macro AP, means over worlds and paired differences with Student's interval over worlds "
    "(none where all worlds hold the same plates):"
)


def record(line: Line) -> dict[str, Any]:
    """The difference over worlds and each figure with its own, keys as in `COLUMNS`."""
    found = three("over_worlds", line.over_worlds)
    for name, figure in line.beside.items():
        found[name] = number(figure.value.value)
        found |= three(f"{name}_difference", figure.difference)
    return found


def table(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows in words."""
    head = ["world", "row", "against", "difference in macro AP"]
    head += [f"{title}{'' if more else ' (less is better)'}" for title, more in FIGURES.values()]
    rows = [
        [line.world, line.row, line.base or DASH, said(line.over_worlds, signed=True)]
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
