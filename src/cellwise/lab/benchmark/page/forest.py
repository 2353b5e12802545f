"""The forest plot: paired differences with their intervals, world by world, around a line at 0."""

from collections.abc import Sequence
from typing import Protocol

from markupsafe import Markup

from cellwise.lab.benchmark.page.words import said
from cellwise.lab.benchmark.statistics import Estimate
from cellwise.stages.report.drawing.svg import (
    GREEN,
    GREY,
    VERMILION,
    Scale,
    dot,
    drawing,
    line,
    text,
    tick_words,
    ticks,
)

COLOURS = {"better": GREEN, "worse": VERMILION, "open": GREY}
_WIDE, _STEP, _TOP, _FOOT = 860.0, 24.0, 8.0, 46.0
_NOTE = 300.0


class Compared(Protocol):
    """What the plot needs of a line of either table."""

    @property
    def world(self) -> str:
        """Name."""

    @property
    def row(self) -> str:
        """Name."""

    @property
    def base(self) -> str:
        """The row it is compared with."""

    @property
    def difference(self) -> Estimate | None:
        """Paired, to the base."""

    @property
    def sign(self) -> str:
        """`better`, `worse` or `open`."""


def forest(lines: Sequence[Compared], figure: str = "macro average precision") -> Markup | None:
    """The plot of all lines that are compared with something; None where there is none.

    Args:
        lines: Of one table.
        figure: What differs, for the axis.
    """
    compared = [one for one in lines if one.difference is not None]
    if not compared:
        return None
    worlds = list(dict.fromkeys(one.world for one in compared))
    left = min(250.0, 34 + 6.6 * max(len(one.row) for one in compared))
    high = _TOP + _STEP * (len(compared) + 1.3 * len(worlds)) + _FOOT
    x = Scale(*_bounds(compared), left, _WIDE - _NOTE)
    # Beside the largest figures the longest name.
    wide = _WIDE + max(0.0, 5.8 * (max(len(one.base) for one in compared) - 20))
    marks = _axis(x, high, figure)
    y = _TOP
    for world in worlds:
        y += 1.3 * _STEP
        marks.append(text(0, y - 5, world, css="head"))
        for one in (one for one in compared if one.world == world):
            y += _STEP
            marks += _mark(one, x, y - 8, left)
    return drawing(wide, high, marks, says=f"Paired differences of {len(compared)} rows")


def _mark(one: Compared, x: Scale, y: float, left: float) -> list[Markup]:
    found = one.difference
    assert found is not None
    colour = COLOURS[one.sign]
    marks = [text(left - 14, y + 4, one.row, anchor="end", css="name")]
    if found.low == found.low:
        marks.append(line(x(found.low), y, x(found.high), y, css="whisker", colour=colour))
    marks.append(dot(x(found.value), y, 4.5, colour=colour, tip=said(found, signed=True)))
    note = f"{said(found, signed=True)}  against {one.base}"
    marks.append(text(_WIDE - _NOTE + 18, y + 4, note, css="tick"))
    return marks


def _axis(x: Scale, high: float, figure: str) -> list[Markup]:
    values = ticks(x.low, x.high, about=6)
    marks = []
    for value, words in zip(values, tick_words(values), strict=True):
        marks.append(line(x(value), _TOP + 6, x(value), high - _FOOT + 6, css="rule"))
        marks.append(text(x(value), high - _FOOT + 22, words, anchor="middle", css="tick"))
    marks.append(line(x(0), _TOP + 6, x(0), high - _FOOT + 6, css="axis"))
    middle = (x.start + x.end) / 2
    words = f"difference in {figure}, 95 % interval"
    marks.append(text(middle, high - 5, words, anchor="middle", css="title"))
    return marks


def _bounds(lines: Sequence[Compared]) -> tuple[float, float]:
    """From a little below the lowest to a little above the highest, 0 always inside."""
    ends = [0.0, -0.01, 0.01]
    for one in lines:
        found = one.difference
        if found is not None:
            ends += [v for v in (found.value, found.low, found.high) if v == v]
    room = 0.04 * (max(ends) - min(ends))
    return min(ends) - room, max(ends) + room
