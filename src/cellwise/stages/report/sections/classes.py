"""Results per class: average precision with its interval, and all other figures."""

from typing import Any

from cellwise.domain.plain_words import counted, figure_said
from cellwise.stages.report._charts import Row, intervals
from cellwise.stages.report._results import ClassResult, class_results
from cellwise.stages.report.drawing.svg import BLUE, GREY, ORANGE, VERMILION, short
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections.provenance import calibration

_COLOUR = {"good": BLUE, "care": ORANGE, "bad": VERMILION, "few": GREY}
WORDS = {
    "good": "may be trusted",
    "care": "with care",
    "bad": "do not use",
    "few": "too few examples",
}
_CONTROL = "negative control"


def context(material: Material) -> dict[str, Any]:
    """The table, the chart of intervals and the list of other figures."""
    results = class_results(material)
    figures = _figures(material.metrics)
    if not results and not figures:
        return {"empty": _why_empty(material)}
    tested = [result for result in results if result.fields]
    return {
        # Of a class that no labelled field has there are dashes alone: such rows are folded.
        "rows": _rows(tested or results),
        "folded": _rows([result for result in results if not result.fields]) if tested else [],
        "chart": _chart(results),
        "without": [result.name for result in results if not result.fields],
        "figures": [row for row in figures if not row["name"].startswith(_CONTROL)],
        "control_figures": [row for row in figures if row["name"].startswith(_CONTROL)],
        "calibration": calibration(material),
        "resampled": (material.evaluation.get("sites") or {}).get("resampled", ""),
        "pooling": material.evaluation.get("pooling", ""),
        "n_cells": results[0].cells if results else 0,
        "n_fields": results[0].fields + results[0].others if results else 0,
    }


def _rows(results: list[ClassResult]) -> list[dict[str, Any]]:
    return [{"result": result, "words": WORDS[result.judgement]} for result in results]


def _why_empty(material: Material) -> str:
    if material.predictions is None or not material.classes:
        return "No classes were predicted in this run, so there are no results per class."
    if not material.has_labels:
        return "No field has a label, so predictions cannot be compared with anything."
    return "No labelled field has cells that were scored by a model which had not seen it."


def _chart(results: list[ClassResult]) -> Any:
    rows = [
        Row(
            result.name,
            result.value,
            result.low,
            result.high,
            f"n = {result.fields} + {counted(result.others, 'fields')}",
            _COLOUR[result.judgement],
            result.chance,
        )
        for result in results
        if result.value is not None
    ]
    return intervals(rows, x_title="average precision over labelled fields") if rows else ""


def _figures(metrics: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    shown = []
    for name, row in sorted(metrics.items()):
        low, high = row.get("low"), row.get("high")
        interval = "" if low is None or high is None else f"{short(low)} to {short(high)}"
        n = row.get("n")
        shown.append(
            {
                "name": figure_said(name),
                "value": short(row.get("value")),
                "interval": interval,
                "n": "" if n is None else short(n),
                "unit": str(row.get("unit") or ""),
            }
        )
    return shown
