"""The table of wells as CSV, Markdown, JSON and as the page `ladder.html`."""

import csv
import io
import json
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.lab.benchmark.page.forest import forest
from cellwise.lab.benchmark.page.frame import frame
from cellwise.lab.benchmark.page.words import DASH, grid, number, p_said, said, three
from cellwise.lab.benchmark.page.write import outcome
from cellwise.lab.benchmark.results import Result
from cellwise.lab.benchmark.wells import WellLine

COLUMNS = (
    *("world", "row", "accuracy", "low", "high"),
    *("base", "difference", "difference_low", "difference_high", "p", "holm_p", "sign"),
    *("chance", "wells", "experiments", "worlds", "seeds", "train_seconds", "peak_mb"),
    *("expected", "outcome"),
)
LEAD = (
    "Accuracy is the share of treated wells of the test experiments whose treatment is named: no "
    "well of these experiments has taught. Means over worlds; brackets are Student's 95 % "
    "intervals over worlds, differences are paired by world. A sign counts only after Holm's "
    "correction over the table."
)
_TAGS = {"better": "good", "worse": "bad", "open": ""}
_OUTCOMES = {"reproduced": "good", "contradicted": "bad", "open": "care", "not measured": "care"}


def records(result: Result) -> list[dict[str, Any]]:
    """One flat record for each line, keys as in `COLUMNS`; None where there is no number."""
    return [_record(result, line) for line in result.wells]


def _record(result: Result, line: WellLine) -> dict[str, Any]:
    row = result.plan.table.row(line.world, line.row)
    cost = result.costs.get((line.world, line.row))
    accuracy = three("accuracy", line.accuracy)
    return {
        "world": line.world,
        "row": line.row,
        "accuracy": accuracy["accuracy"],
        "low": accuracy["accuracy_low"],
        "high": accuracy["accuracy_high"],
        "base": line.base,
        **three("difference", line.difference),
        "p": number(line.p),
        "holm_p": number(line.holm),
        "sign": line.sign,
        "chance": number(line.chance),
        "wells": line.wells,
        "experiments": line.experiments,
        "worlds": len(line.each),
        "seeds": result.plan.seeds,
        "train_seconds": None if cost is None else round(cost.seconds, 1),
        "peak_mb": None if cost is None else round(cost.peak_mb),
        "expected": row.expect,
        "outcome": outcome(line, row),
    }


def as_csv(result: Result) -> str:
    """The records as CSV, empty for no number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(result))
    return text.getvalue()


def as_json(result: Result) -> str:
    """The records with the accuracy in every world, what each row changes, how it was made."""
    lines = [
        {**record, "each": [number(value) for value in line.each]}
        for record, line in zip(records(result), result.wells, strict=True)
    ]
    rows = [
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
    ]
    content = {"format": 1, "made": result.made, "rows": rows, "lines": lines}
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def as_markdown(result: Result) -> str:
    """The table for a document."""
    head = ["world", "row", "accuracy", "against", "difference", "Holm p", "sign"]
    head += ["s", "MB", "reported elsewhere"]
    body = []
    for line in result.wells:
        shown = _shown(result, line)
        keys = ("world", "row", "accuracy", "base", "difference", "holm", "sign", "seconds")
        body.append([*(shown[key] for key in keys), shown["memory"], shown["reported"]])
    parts = [f"# Benchmark: {result.plan.table.name}", LEAD, *_sizes(result), grid(head, body)]
    return "\n\n".join(parts) + "\n"


def as_page(result: Result) -> str:
    """The whole page as HTML."""
    return frame("wells.html").render(
        name=result.plan.table.name,
        lead=LEAD,
        sizes=_sizes(result),
        forest=forest(result.wells, "accuracy"),
        lines=[_shown(result, line) for line in result.wells],
        changes=result.changes,
        made=result.made,
    )


def _sizes(result: Result) -> list[str]:
    """What was judged in each world, one sentence."""
    found = []
    for world in result.plan.worlds:
        line = next(one for one in result.wells if one.world == world.name)
        found.append(
            f"{world.name}: {counted(len(line.each), 'worlds')}, {counted(line.wells, 'wells')} of "
            f"{counted(line.experiments, 'experiments')}; a guess is right {line.chance:.3f} "
            "of the time."
        )
    return found


def _shown(result: Result, line: WellLine) -> dict[str, str]:
    """A line in words."""
    row = result.plan.table.row(line.world, line.row)
    cost = result.costs.get((line.world, line.row))
    found = outcome(line, row)
    return {
        "world": line.world,
        "row": line.row,
        "accuracy": said(line.accuracy),
        "base": line.base or DASH,
        "difference": said(line.difference, signed=True),
        "holm": p_said(line.holm),
        "sign": line.sign or DASH,
        "tag": _TAGS.get(line.sign, ""),
        "seconds": DASH if cost is None else f"{cost.seconds:,.0f}",
        "memory": DASH if cost is None else f"{cost.peak_mb:,.0f}",
        "reported": f"{row.expect}: {found}" if found else DASH,
        "outcome_tag": _OUTCOMES.get(found, ""),
        "source": row.source,
    }
