"""Which classes a cell may show, with the error that is promised, or why nothing is promised."""

from typing import Any

from cellwise.stages.report._charts import Row, intervals
from cellwise.stages.report.drawing.svg import BLUE, GREY
from cellwise.stages.report.material import Material


def was_made(material: Material) -> bool:
    """Whether there is anything to say: an audit of new fields, or labelled fields."""
    return any(material.sets.get(name) for name in ("new", "folds", "fields"))


def context(material: Material) -> dict[str, Any]:
    """The promise for new cells first; then what was measured and promises nothing of them."""
    found = material.sets
    if not was_made(material):
        return {"empty": "No cell of a new field was judged, so nothing is promised of any."}
    new = found["new"]
    promised = bool(new and new["promise"])
    return {
        "promise": 1 - found["error"],
        "error": found["error"],
        "new": new,
        "promised": promised,
        "of": material.sets_of,
        "rows": [_line(one) for one in new["classes"]] if promised else [],
        "n_held": sum(one["may"] is not None for one in new["classes"]) if promised else 0,
        "n_shown": sum(one["shown"] for one in new["classes"]) if promised else 0,
        "chart": _chart(new, 1 - found["error"]) if promised else "",
        "folds": _known(found["folds"]),
        "fields": _known(found["fields"]),
    }


def _line(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "name": one["class"], "words": _ends(one["covered"])}


def _ends(share: dict[str, Any]) -> str:
    return f"{100 * share['low']:.0f}–{100 * share['high']:.0f}"


def _known(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """A part whose sets held a known share; None where too few were judged."""
    if not part or part["covered"]["value"] is None:
        return None
    return {**part, "words": _ends(part["covered"])}


def _chart(new: dict[str, Any], promise: float) -> Any:
    def row(name: str, share: dict[str, Any], colour: str) -> Row:
        note = f"n = {share['judged']} that show it"
        return Row(name, share["value"], share["low"], share["high"], note, colour, promise)

    rows = [row("all of these", new["covered"], BLUE)]
    rows += [
        row(one["class"], one["covered"], GREY)
        for one in new["classes"]
        if one["covered"]["value"] is not None
    ]
    low = min(0.5, *(one.low for one in rows if one.low is not None))
    return intervals(rows, x_title="share held by sets, 90 % intervals", bounds=(low, 1.0))
