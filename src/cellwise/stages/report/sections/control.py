"""Negative control: the same model without the protein channel, which should not succeed.

Where it does, something other than the protein tells the classes apart: the number of cells, their
shape, or their place on the plate.
"""

from typing import Any

import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.measures.separation import separation
from cellwise.stages.report.drawing.svg import short
from cellwise.stages.report.material import Material

_SUSPICIOUS = 0.75


def context(material: Material) -> dict[str, Any]:
    """Separation with and without the protein, and doses that follow rows or columns."""
    name = material.choices.negative_control
    if not name:
        return {
            "empty": "This run trained no model without the protein channel, so this check is "
            "missing."
        }
    if material.control is None:
        return {"empty": f"No predictions of the control {name!r} are in the run folder."}
    rows = compare(material)
    return {
        "rows": [{**row, "words": _judge(row)} for row in rows],
        "inseparable": inseparable(material),
        "wells": _wells(material),
        "name": name,
    }


def compare(material: Material) -> list[dict[str, Any]]:
    """Per class: separation of the model and of the control on the same labelled cells."""
    labelled = material.labelled
    if material.control is None or not labelled.height:
        return []
    control = material.control.select("site_id", "cell_id", pl.col("^Prob_.*$").name.suffix("_c"))
    both = labelled.join(control, on=["site_id", "cell_id"], how="inner")
    rows = []
    for name in material.classes:
        column = material.column(name)
        if column + "_c" not in both.columns or not both.height:
            continue
        truth = both["field_labels"].list.contains(name).to_numpy().astype(bool)
        with_protein = separation(both[column].to_numpy(), truth)
        without = separation(both[column + "_c"].to_numpy(), truth)
        rows.append({"name": name, "with": with_protein, "without": without, "n": both.height})
    return rows


def verdict(material: Material) -> tuple[str, str] | None:
    """The control in one sentence for the verdict box."""
    rows = [row for row in compare(material) if row["without"] is not None]
    if not rows:
        return None
    worst = max(rows, key=lambda row: row["without"])
    words = (
        f"separation {short(worst['without'])} for {worst['name']}, n = "
        f"{counted(worst['n'], 'cells')}"
    )
    if worst["without"] >= _SUSPICIOUS:
        return "bad", (
            f"The model without the protein channel succeeds too ({words}): cell number, shape or "
            "place on the plate may be what is seen."
        )
    return "good", f"Without the protein channel the model fails, as it should ({words})."


def inseparable(material: Material) -> list[str]:
    """The evaluation's warnings about doses that run along with rows or columns of a plate."""
    warnings = material.evaluation.get("warnings") or []
    # In older runs it says "told apart".
    return [w for w in warnings if any(s in str(w) for s in ("be distinguished", "told apart"))]


def _wells(material: Material) -> list[dict[str, Any]]:
    """Figures of wells with and without the protein, for the drugs and controls that both have."""
    without = material.evaluation.get("negative_control") or {}
    rows = []
    for title, table, figure, count in (
        ("rank correlation with dose", "drugs", "spearman", ("n",)),
        (
            "Z′-factor of the control wells",
            "screen_quality",
            "z_prime",
            ("n_positive", "n_negative"),
        ),
    ):
        known = {_key(row): row for row in material.evaluation.get(table) or []}
        for row in without.get(table) or []:
            if _key(row) in known:
                first = known[_key(row)]
                rows.append(
                    {
                        "title": f"{_name(row)}: {title}",
                        "with": first.get(figure),
                        "without": row.get(figure),
                        "n": " + ".join(str(first.get(key, "–")) for key in count),
                    }
                )
    return rows


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return str(row.get("drug") or ""), str(row.get("class") or "")


def _name(row: dict[str, Any]) -> str:
    return ", ".join(part for part in reversed(_key(row)) if part)


def _judge(row: dict[str, Any]) -> tuple[str, str]:
    if row["without"] is None:
        return "", "not tested"
    return ("bad", "succeeds too") if row["without"] >= _SUSPICIOUS else ("good", "fails")
