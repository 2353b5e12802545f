"""The map of a plate: one circle per well, or of many plates one square; shades mean amounts."""

from markupsafe import Markup

from cellwise.domain.plain_words import counted
from cellwise.stages.report.drawing.svg import (
    STEPS,
    Scale,
    box,
    dot,
    drawing,
    short,
    step_of,
    text,
)


def plate(
    wells: dict[tuple[int, int], float],
    shape: tuple[int, int],
    *,
    title: str,
    bounds: tuple[float, float],
    tips: dict[tuple[int, int], str],
) -> Markup:
    """Wells of one plate shaded by amount; rows are letters, empty wells stay open circles."""
    rows, columns = shape
    size = min(21.0, max(7.0, 300.0 / columns))
    left, top = 22.0, 18.0
    wide, high = max(left + columns * size + 6, 190.0), top + rows * size + 30
    scale = Scale(*bounds, 0.0, 1.0)
    marks = []
    skip = 1 if size >= 15 else 2 if size >= 9 else 4
    for c in range(0, columns, skip):
        marks.append(
            text(left + (c + 0.5) * size, top - 5, c + 1, anchor="middle", css="tick small")
        )
    for r in range(0, rows, skip):
        marks.append(
            text(
                left - 6, top + (r + 0.5) * size + 3.5, row_name(r), anchor="end", css="tick small"
            )
        )
    for r in range(rows):
        for c in range(columns):
            x, y = left + (c + 0.5) * size, top + (r + 0.5) * size
            if (r, c) in wells:
                css = f"well s{step_of(scale(wells[r, c]))}"
                marks.append(dot(x, y, size * 0.44, colour="", css=css, tip=tips[r, c]))
            else:
                marks.append(dot(x, y, size * 0.44, colour="none", css="well empty"))
    marks.extend(_legend(bounds, left, high - 16))
    return drawing(wide, high, marks, says=f"Plate map: {title}, {counted(len(wells), 'wells')}")


def small_plate(
    wells: dict[tuple[int, int], float],
    shape: tuple[int, int],
    *,
    title: str,
    bounds: tuple[float, float],
) -> Markup:
    """A plate without letters and numbers, one of many: squares in sixteen shades.

    Wells of a shade are one path, as many plates would make a page of a hundred thousand marks.
    """
    rows, columns = shape
    scale = Scale(*bounds, 0.0, 1.0)
    steps: dict[int, list[str]] = {}
    for (row, column), value in sorted(wells.items()):
        step = step_of(scale(value))
        steps.setdefault(step, []).append(f"M{10 * column + 1} {10 * row + 1}h8v8h-8z")
    marks = [box(0, 0, 10 * columns, 10 * rows, css="blank")]
    marks += [
        Markup('<path d="{}" class="s{}"/>').format("".join(parts), step)
        for step, parts in sorted(steps.items())
    ]
    said = f"{title}, {counted(len(wells), 'wells')}"
    return drawing(10 * columns, 10 * rows, marks, says=said)


def legend(bounds: tuple[float, float]) -> Markup:
    """The scale of many small plates."""
    return drawing(
        190,
        14,
        _legend(bounds, 0.0, 3.0),
        says=f"The scale, from {short(bounds[0])} to {short(bounds[1])}",
    )


def _legend(bounds: tuple[float, float], left: float, top: float) -> list[Markup]:
    width = 6.25
    bars = [box(left + 30 + width * i, top, width + 0.3, 8, css=f"s{i}") for i in range(STEPS)]
    right = left + 30 + width * STEPS
    return [
        text(left + 25, top + 8, short(bounds[0]), anchor="end", css="tick small"),
        *bars,
        text(right + 5, top + 8, short(bounds[1]), css="tick small"),
    ]


def row_name(row: int) -> str:
    """`A` for row 0, `AA` for row 26."""
    return chr(65 + row) if row < 26 else row_name(row // 26 - 1) + chr(65 + row % 26)
