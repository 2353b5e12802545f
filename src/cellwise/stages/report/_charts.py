"""The report's charts: each takes plain numbers and gives an SVG image that needs no more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from cellwise.domain.plain_words import counted
from cellwise.stages.report.drawing.names import shorten, told_apart
from cellwise.stages.report.drawing.svg import (
    BLUE,
    GREY,
    INK,
    Scale,
    area,
    box,
    dot,
    drawing,
    line,
    path,
    short,
    text,
    tick_words,
    ticks,
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One fitted line over dose with its points, band of the midpoint and names."""

    name: str
    colour: str
    line: Points = ()
    points: Sequence[tuple[float, float, str]] = ()
    midpoint: tuple[float, float, float] | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an interval chart: name, value with its 95 % interval, remark, colour."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    colour: str = BLUE
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Five quantiles (5, 25, 50, 75, 95 %) of one group of cells."""

    name: str
    quantiles: tuple[float, float, float, float, float]
    n: int
    colour: str = BLUE
    group: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The plotting area of a chart, with its two scales."""

    wide: float
    high: float
    x: Scale
    y: Scale
    marks: list[Markup] = field(default_factory=list)


def frame(
    wide: float,
    high: float,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    *,
    x_title: str,
    y_title: str,
) -> Frame:
    """Axes with round ticks, light horizontal rules and titles."""
    rows = labelled(*y_range, about=4)
    x = Scale(*x_range, 32 + 6.6 * max(len(words) for _, words in rows), wide - 14)
    y = Scale(*y_range, high - 40, 12)
    marks = []
    for value, words in rows:
        marks.append(line(x.start, y(value), x.end, y(value), css="rule"))
        marks.append(text(x.start - 7, y(value) + 4, words, anchor="end", css="tick"))
    for value, words in labelled(*x_range, about=max(3, int((x.end - x.start) / 42))):
        marks.append(text(x(value), y.start + 16, words, anchor="middle", css="tick"))
    marks.append(line(x.start, y.start, x.end, y.start, css="axis"))
    middle = (x.start + x.end) / 2
    marks.append(text(middle, high - 6, x_title, anchor="middle", css="title"))
    marks.append(text(13, (y.start + y.end) / 2, y_title, anchor="middle", css="title", turn=-90))
    return Frame(wide, high, x, y, marks)


def labelled(low: float, high: float, *, about: int) -> list[tuple[float, str]]:
    """Round values of an axis with their words."""
    values = ticks(low, high, about=about)
    return list(zip(values, tick_words(values), strict=True))


def histogram(
    series: Sequence[tuple[str, str, Sequence[int]]],
    edges: Sequence[float],
    *,
    x_title: str,
    y_title: str,
    wide: float = 460,
    high: float = 220,
) -> Markup:
    """Bars over bins, one (name, colour, counts) after another, stacked."""
    totals = [sum(column) for column in zip(*(counts for _, _, counts in series), strict=True)]
    top = max([*totals, 1])
    base = frame(wide, high, (edges[0], edges[-1]), (0, top), x_title=x_title, y_title=y_title)
    floor = [0] * len(totals)
    for name, colour, counts in series:
        for i, count in enumerate(counts):
            if not count:
                continue
            left, right = base.x(edges[i]), base.x(edges[i + 1])
            upper, lower = base.y(floor[i] + count), base.y(floor[i])
            tip = f"{name}{': ' if name else ''}{short(edges[i])} to {short(edges[i + 1])}: {count}"
            base.marks.append(
                box(left + 0.5, upper, right - left - 1, lower - upper, colour=colour, tip=tip)
            )
            floor[i] += count
    return drawing(wide, high, base.marks, says=f"Histogram of {x_title}, {sum(totals)} in all")


def intervals(
    rows: Sequence[Row], *, x_title: str, bounds: tuple[float, float] = (0.0, 1.0)
) -> Markup:
    """Points with 95 % intervals, one line per name; a thin tick marks the level of chance."""
    left = min(230, 20 + 6.6 * max((len(row.name) for row in rows), default=0))
    wide, step = 720.0, 24.0
    high = step * len(rows) + 52
    x = Scale(*bounds, left, wide - 130)
    marks = []
    for value, words in labelled(*bounds, about=5):
        marks.append(line(x(value), 8, x(value), high - 40, css="rule"))
        marks.append(text(x(value), high - 24, words, anchor="middle", css="tick"))
    for i, row in enumerate(rows):
        y = 20 + step * i
        marks.append(text(left - 12, y + 4, shorten(row.name, 34), anchor="end", css="name"))
        if row.low is not None and row.high is not None:
            marks.append(line(x(row.low), y, x(row.high), y, css="whisker", colour=row.colour))
        if row.mark is not None:
            marks.append(line(x(row.mark), y - 6, x(row.mark), y + 6, css="chance"))
        marks.append(dot(x(row.value), y, 4.5, colour=row.colour, tip=short(row.value)))
        marks.append(text(wide - 118, y + 4, row.note, css="tick"))
    marks.append(text((x.start + x.end) / 2, high - 5, x_title, anchor="middle", css="title"))
    return drawing(wide, high, marks, says=f"{x_title} with 95 % intervals, {len(rows)} lines")


def curves(
    lines: Sequence[Curve],
    *,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    wide: float = 520,
    high: float = 300,
) -> Markup:
    """Fitted curves with the wells as points and the midpoint with its interval at the foot."""
    base = frame(wide, high, x_range, y_range, x_title=x_title, y_title=y_title)
    for curve in lines:
        css = "curve dashed" if curve.dashed else "curve"
        if curve.midpoint is not None:
            middle, low, high_end = curve.midpoint
            x0, x1 = base.x(low), base.x(high_end)
            band = [(x0, base.y.start), (x1, base.y.start), (x1, base.y.end), (x0, base.y.end)]
            base.marks.append(area(band, colour=curve.colour, opacity=0.10))
            base.marks.append(
                line(
                    base.x(middle),
                    base.y.start,
                    base.x(middle),
                    base.y.end,
                    css="midpoint",
                    colour=curve.colour,
                )
            )
        if curve.line:
            base.marks.append(
                path([(base.x(a), base.y(b)) for a, b in curve.line], css=css, colour=curve.colour)
            )
        base.marks.extend(
            dot(base.x(a), base.y(b), 4, colour=curve.colour, tip=tip) for a, b, tip in curve.points
        )
    return drawing(wide, high, base.marks, says=f"{y_title} against {x_title}")


def reliability(
    points: Sequence[tuple[float, float, int]],
    *,
    before: Sequence[tuple[float, float, int]] = (),
    y_title: str = "share in fields",
    wide: float = 230,
) -> Markup:
    """Stated probability against the share found true; dot area grows with the number of cells.

    A grey line without dots is what was stated `before`.
    """
    base = frame(wide, wide, (0, 1), (0, 1), x_title="stated probability", y_title=y_title)
    base.marks.append(line(base.x(0), base.y(0), base.x(1), base.y(1), css="diagonal"))
    for part, colour in ((before, GREY), (points, BLUE)):
        ends = [(base.x(a), base.y(b)) for a, b, _ in part]
        base.marks.append(path(ends, css="curve thin", colour=colour))
    most = max((n for _, _, n in points), default=1)
    for stated, found, n in points:
        tip = f"stated {short(stated)}, found {short(found)}, n = {counted(n, 'cells')}"
        radius = 2.5 + 4.5 * math.sqrt(n / most)
        base.marks.append(
            dot(base.x(stated), base.y(found), round(radius, 1), colour=BLUE, tip=tip)
        )
    return drawing(wide, wide, base.marks, says="Reliability: stated probability against labels")


def spreads(groups: Sequence[Spread], *, y_title: str, x_title: str, high: float = 250) -> Markup:
    """Per group: the middle half of its cells as a bar, 5 to 95 % as a line, the median a dot."""
    step = min(26.0, max(7.0, 860.0 / max(1, len(groups))))
    wide = 66 + step * len(groups)
    base = Frame(
        wide, high, Scale(0, len(groups), 52, 52 + step * len(groups)), Scale(0, 1, high - 56, 12)
    )
    for value, words in labelled(0, 1, about=4):
        y = base.y(value)
        base.marks.append(line(base.x.start, y, base.x.end, y, css="rule"))
        base.marks.append(text(45, y + 4, words, anchor="end", css="tick"))
    names = told_apart([group.name for group in groups], 10)
    for i, group in enumerate(groups):
        low, first, median, third, top = (base.y(q) for q in group.quantiles)
        x = base.x(i + 0.5)
        tip = (
            f"{group.name}: median {short(group.quantiles[2])}, n = "
            f"{counted(group.n, 'cells')}{group.group}"
        )
        base.marks.append(line(x, low, x, top, css="whisker faint", colour=group.colour))
        bar = min(12.0, step * 0.6)
        base.marks.append(
            box(x - bar / 2, third, bar, max(1.5, first - third), colour=group.colour, tip=tip)
        )
        base.marks.append(
            dot(x, median, min(3.2, step * 0.3), colour="#fff", css="median", tip=tip)
        )
        if i % max(1, math.ceil(11 / step)) == 0:
            base.marks.append(
                text(x + 3, high - 50, names[i], anchor="end", css="tick small", turn=-60)
            )
    middle = (base.y.start + base.y.end) / 2
    base.marks.append(text(13, middle, y_title, anchor="middle", css="title", turn=-90))
    base.marks.append(line(base.x.start, base.y.start, base.x.end, base.y.start, css="axis"))
    says = f"{y_title} by {x_title}, {counted(len(groups), 'groups')}"
    return drawing(max(wide, 240), high, base.marks, says=says)


def bar(share: float, *, colour: str = INK, wide: float = 90) -> Markup:
    """A small bar for a share of 0..1 inside a table."""
    marks = [
        box(0, 2, wide, 8, css="track"),
        box(0, 2, wide * min(1.0, max(0.0, share)), 8, colour=colour),
    ]
    return drawing(wide, 12, marks, says=f"{short(share)}")


def scatter(
    points: Sequence[tuple[float, float, str, str]],
    *,
    x_title: str,
    y_title: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    wide: float = 340,
    high: float = 280,
) -> Markup:
    """Points (x, y, colour, tip) beside the line of equal values."""
    base = frame(wide, high, x_range, y_range, x_title=x_title, y_title=y_title)
    low, top = max(x_range[0], y_range[0]), min(x_range[1], y_range[1])
    base.marks.append(line(base.x(low), base.y(low), base.x(top), base.y(top), css="diagonal"))
    for a, b, colour, tip in points:
        base.marks.append(dot(base.x(a), base.y(b), 4, colour=colour or GREY, tip=tip))
    return drawing(wide, high, base.marks, says=f"{y_title} against {x_title}")
