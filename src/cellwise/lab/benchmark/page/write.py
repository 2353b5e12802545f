"""The table as CSV, Markdown and JSON; the page is in `page`."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.lab.benchmark.cells import LABELLED, NEW, TABLES
from cellwise.lab.benchmark.compare import NO_GAP, Line
from cellwise.lab.benchmark.page import beside
from cellwise.lab.benchmark.page.words import DASH, grid, number, p_said, said, three
from cellwise.lab.benchmark.results import Result
from cellwise.lab.benchmark.rows import Row, World
from cellwise.lab.benchmark.wells import WellLine

TITLES = {
    NEW: "New fields",
    LABELLED: "Labelled fields",
}
LEADS = {
    NEW: "Fields without a known label: each cell is scored by the mean of the fold models.",
    LABELLED: "Fields whose labels are known: each cell is scored by the model that did not see "
    "its field.",
}
COLUMNS = (
    *("world", "row", "table", "macro_ap", "low", "high"),
    *("base", "difference", "difference_low", "difference_high", "p", "holm_p", "sign"),
    *("gap", "gap_low", "gap_high", "gap_closed", "gap_closed_low", "gap_closed_high"),
    *("train_seconds", "peak_mb", "cells", "groups", "classes", "worlds", "seeds"),
    *("expected", "outcome"),
    *beside.COLUMNS,
)
_COUNTS = ("cells", "groups", "classes")

# Rows of a table that are all said on the screen, and how a settled one is said.
_SCREEN = 12
_SIGNS = {"better": "better than", "worse": "worse than"}


def records(result: Result) -> list[dict[str, Any]]:
    """One flat record for each line, keys as in `COLUMNS`; None where there is no number.

    `gap_closed` holds words where the gap is too small for a ratio.
    """
    table = result.plan.table
    return [_record(result, line, table.row(line.world, line.row)) for line in result.lines]


def _record(result: Result, line: Line, row: Row) -> dict[str, Any]:
    world = next(world for world in result.plan.worlds if world.name == line.world)
    cost = result.costs.get((line.world, line.row))
    closed: dict[str, Any] = three("gap_closed", line.closed)
    if line.closed is None:
        closed["gap_closed"] = line.why_not
    difference = three("difference", line.difference)
    return {
        "world": line.world,
        "row": line.row,
        "table": line.table,
        "macro_ap": number(line.accuracy.value),
        "low": number(line.accuracy.low),
        "high": number(line.accuracy.high),
        "base": line.base,
        **difference,
        "p": number(line.p),
        "holm_p": number(line.holm),
        "sign": line.sign,
        **three("gap", line.gap),
        **closed,
        "train_seconds": None if cost is None else round(cost.seconds, 1),
        "peak_mb": None if cost is None else round(cost.peak_mb),
        "cells": line.cells,
        "groups": line.groups,
        "classes": len(line.classes),
        "worlds": len(result.plan.draws(world)),
        "seeds": result.plan.seeds,
        "expected": row.expect,
        "outcome": outcome(line, row),
        **beside.record(line),
    }


def outcome(line: Line | WellLine, row: Row) -> str:
    """What became of an effect that others have reported; empty where none is expected."""
    if not row.expect or line.difference is None:
        return ""
    if not math.isfinite(line.difference.value):
        return "not measured"
    if line.sign == "open":
        return "open"
    return "reproduced" if line.sign == row.expect else "contradicted"


def as_csv(result: Result) -> str:
    """The records as CSV, empty for no number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(result))
    return text.getvalue()


def as_json(result: Result) -> str:
    """The records with classes by name, what each row changes, and how it was made."""
    lines = [
        {**record, "classes_counted": list(line.classes), "classes_apart": dict(line.apart)}
        for record, line in zip(records(result), result.lines, strict=True)
    ]
    content = {
        "format": 1,
        "made": result.made,
        "rows": [
            {
                "name": row.name,
                "recipe": row.recipe.replace("\\", "/").rpartition("/")[2],
                "set": list(row.set),
                "about": row.about,
                "source": row.source,
                "worlds": list(row.worlds),
                "changes": list(changes),
            }
            for row, changes in result.changes
        ],
        "lines": lines,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def as_markdown(result: Result) -> str:
    """Both tables for a document."""
    parts = [f"# Benchmark: {result.plan.table.name}", *_intro(result)]
    for name in TABLES:
        lines = result.table(name)
        if lines:
            parts += [f"## {TITLES[name]}", LEADS[name], _gaps(result, lines), _rows(result, lines)]
            parts += [beside.LEAD, grid(*beside.table(lines))]
    return "\n\n".join(parts) + "\n"


def _intro(result: Result) -> list[str]:
    plan = result.plan
    return [
        f"{counted(plan.seeds, 'seeds')}; {plan.table.draws} bootstrap draws over worlds, groups "
        "and seeds together; brackets are 95 % intervals. "
        f"{outlines_said(plan.worlds)} "
        "A_0: trained on inherited field labels; A_1: on the true labels of the same cells. A sign "
        "counts only after Holm's correction over the table.",
    ]


def outlines_said(worlds: Sequence[World]) -> str:
    """Whose outlines of cells the rows were judged on."""
    found = [world.name for world in worlds if world.outlines == "found"]
    if not found:
        return "Outlines of cells are the true ones in every row."
    return (
        f"Outlines of cells are those that each recipe finds in {', '.join(found)}, a cell that is "
        "not found ranks last; elsewhere they are the true ones."
    )


def _gaps(result: Result, lines: Sequence[Line]) -> str:
    rows = [
        [end[key] for key in ("world", "floor", "ceiling", "gap", "says", *_COUNTS)]
        for end in ends(result, lines)
    ]
    return grid(["world", "A_0", "A_1", "A_1 − A_0", "gap", *_COUNTS], rows)


def ends(result: Result, lines: Sequence[Line]) -> list[dict[str, str]]:
    """Of each world A_0, A_1 and their difference, always printed, and what was counted."""
    table = result.plan.table
    found = []
    for world in result.plan.worlds:
        here = {line.row: line for line in lines if line.world == world.name}
        if not here:
            continue
        floor, ceiling = here.get(table.floor), here.get(table.ceiling)
        largest = max(here.values(), key=lambda line: len(line.classes))
        gap = ceiling.gap if ceiling is not None else None
        says = ceiling.why_not if ceiling is not None else NO_GAP
        found.append(
            {
                "world": world.name,
                "floor": DASH if floor is None else said(floor.accuracy),
                "ceiling": DASH if ceiling is None else said(ceiling.accuracy),
                "gap": said(gap, signed=True),
                "says": says or "large enough",
                "cells": f"{largest.cells:,}",
                "groups": f"{largest.groups:,}",
                "classes": f"{len(largest.classes)}",
            }
        )
    return found


def _rows(result: Result, lines: Sequence[Line]) -> str:
    table = result.plan.table
    head = ["world", "row", "macro AP", "against", "difference", "Holm p", "sign", "gap closed"]
    head += ["s", "MB", "reported elsewhere"]
    body = []
    for line in lines:
        cost = result.costs.get((line.world, line.row))
        row = table.row(line.world, line.row)
        found = outcome(line, row)
        body.append(
            [
                line.world,
                line.row,
                said(line.accuracy),
                line.base or DASH,
                said(line.difference, signed=True),
                p_said(line.holm),
                line.sign or DASH,
                said(line.closed) if line.closed else line.why_not,
                DASH if cost is None else f"{cost.seconds:,.0f}",
                DASH if cost is None else f"{cost.peak_mb:,.0f}",
                f"{row.expect}: {found}" if found else DASH,
            ]
        )
    return grid(head, body)


def closing_lines(result: Result) -> list[str]:
    """What the command prints: A_0, A_1 and the gap of each world, then rows that are compared.

    Of a table of more rows than a screen takes, only those that are settled.
    """
    found = [
        f"{line.world}: {line.row} {said(line.accuracy)}"
        + (f", {line.sign} than {line.base}" if line.sign in ("better", "worse") else "")
        for line in result.wells
    ]
    for name in TABLES:
        lines = result.table(name)
        found += [
            f"{TITLES[name].lower()}, {_end_said(end, result)}" for end in ends(result, lines)
        ]
        few = len(lines) <= _SCREEN
        found += [
            f"  {line.world}: {line.row} {_SIGNS.get(line.sign, 'open against')} {line.base} "
            f"{said(line.difference, signed=True)}"
            for line in lines
            if line.classes and line.base and (few or line.sign in _SIGNS)
        ]
    return found


def _end_said(end: Mapping[str, str], result: Result) -> str:
    """One world: A_0, A_1 and the gap; or why there is no figure at all."""
    if end["classes"] == "0":
        table = result.plan.table
        return (
            f"{end['world']}: no figure, as no class is shown by {table.min_cells} cells of "
            f"{table.min_groups} groups here ({end['cells']} cells in all). Make the data set "
            "larger (sites), or lower min_cells and min_groups."
        )
    if end["floor"] == end["ceiling"] == DASH:
        return f"{end['world']}: judged on {end['cells']} cells, classes: {end['classes']}"
    return (
        f"{end['world']}: A_0 {end['floor']} · A_1 {end['ceiling']} · difference {end['gap']} · "
        f"{end['says']}"
    )
