"""The page `ladder.html`: one file, no network, with the forest plots, tables and images."""

from pathlib import Path
from typing import Any

from cellwise.lab.benchmark.cells import TABLES
from cellwise.lab.benchmark.compare import Line
from cellwise.lab.benchmark.page import beside
from cellwise.lab.benchmark.page.forest import forest
from cellwise.lab.benchmark.page.frame import frame
from cellwise.lab.benchmark.page.images import Examples, examples
from cellwise.lab.benchmark.page.words import p_said, said
from cellwise.lab.benchmark.page.write import LEADS, TITLES, ends, outcome, outlines_said
from cellwise.lab.benchmark.results import Result, first_task
from cellwise.lab.benchmark.rows import World

_TAGS = {"better": "good", "worse": "bad", "open": ""}
_OUTCOMES = {"reproduced": "good", "contradicted": "bad", "open": "care"}


def as_page(result: Result, out: Path) -> str:
    """The whole page as HTML."""
    plan = result.plan
    tables = [_table(result, name) for name in TABLES if result.table(name)]
    return frame("ladder.html").render(
        name=plan.table.name,
        seeds=plan.seeds,
        worlds=plan.worlds,
        outlines=outlines_said(plan.worlds),
        cells=_cells(result),
        points=_points(result),
        tables=tables,
        effects=_effects(result),
        examples=_examples(result, out),
        changes=result.changes,
        floor=plan.table.floor,
        made=result.made,
        table=plan.table,
    )


def _table(result: Result, name: str) -> dict[str, Any]:
    lines = result.table(name)
    return {
        "id": name,
        "title": TITLES[name],
        "lead": LEADS[name],
        "ends": ends(result, lines),
        "forest": forest(lines),
        "lines": [_line(result, line) for line in lines],
        "beside": (beside.LEAD, *beside.table(lines)),
        "apart": sorted(
            {(line.world, name, why) for line in lines for name, why in line.apart.items()}
        ),
    }


def _line(result: Result, line: Line) -> dict[str, Any]:
    cost = result.costs.get((line.world, line.row))
    return {
        "world": line.world,
        "row": line.row,
        "accuracy": said(line.accuracy),
        "base": line.base,
        "difference": said(line.difference, signed=True),
        "holm": p_said(line.holm),
        "sign": line.sign,
        "tag": _TAGS.get(line.sign, ""),
        "closed": said(line.closed) if line.closed else line.why_not,
        "seconds": "–" if cost is None else f"{cost.seconds:,.0f}",
        "memory": "–" if cost is None else f"{cost.peak_mb:,.0f}",
    }


def _cells(result: Result) -> int:
    """Cells with known truth, each drawn world's once."""
    counted = {(line.world, line.table): line.cells for line in result.lines}
    return sum(counted.values())


def _points(result: Result) -> list[tuple[str, str]]:
    """What may be said, one sentence for each world and table, with its mark."""
    found = []
    for name in TABLES:
        lines = result.table(name)
        for end in ends(result, lines):
            world = end["world"]
            here = [line for line in lines if line.world == world and line.difference is not None]
            settled = [line for line in here if line.sign == "better" and not _is_end(result, line)]
            best = max(settled, key=lambda line: line.accuracy.value, default=None)
            if end["gap"] == "–":
                continue
            gap = f"{TITLES[name]}, {world}: A_0 {end['floor']}, A_1 {end['ceiling']}, "
            gap += f"difference {end['gap']}"
            gap += "." if end["says"] != "gap too small" else ": gap too small for a ratio."
            if best is None:
                found.append(("care", f"{gap} No row is better than what it is held against."))
                continue
            closes = f" and closes {said(best.closed)} of the gap" if best.closed else ""
            found.append(
                (
                    "good",
                    f"{gap} Best row: {best.row}, {said(best.difference, signed=True)} against "
                    f"{best.base}{closes}.",
                )
            )
    return found


def _is_end(result: Result, line: Line) -> bool:
    return line.row in (result.plan.table.floor, result.plan.table.ceiling)


def _effects(result: Result) -> list[dict[str, str]]:
    """The effects that others have reported, and what became of them here."""
    found = []
    for line in result.lines:
        row = result.plan.table.row(line.world, line.row)
        came = outcome(line, row)
        if came:
            found.append(
                {
                    "row": row.name,
                    "base": line.base,
                    "world": line.world,
                    "table": TITLES[line.table].lower(),
                    "expect": row.expect,
                    "source": row.source,
                    "difference": said(line.difference, signed=True),
                    "outcome": came,
                    "tag": _OUTCOMES[came],
                }
            )
    return found


def _examples(result: Result, out: Path) -> list[tuple[World, Examples]]:
    found = []
    # Found cells have other numbers in each row: no cell could be shown beside itself.
    for world in (w for w in result.plan.worlds if w.outlines == "true"):
        draw, tasks = first_task(result.plan, world)
        shown = examples(draw.folder(out), tasks[0], out, _shown_rows(result, world))
        if shown is not None and shown.cells:
            found.append((world, shown))
    return found


def _shown_rows(result: Result, world: World) -> list[str]:
    """A_0, the best of the other rows, and A_1."""
    table = result.plan.table
    lines = [line for line in result.lines if line.world == world.name]
    rest = [line for line in lines if not _is_end(result, line)]
    best = max(rest, key=lambda line: line.accuracy.value, default=None)
    return [table.floor, *([best.row] if best else []), table.ceiling]
