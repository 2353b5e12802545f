"""Stated probabilities against what is known of cells, before and after calibration.

Against cells that a person judged or that are known; against labels of fields only under that name.
"""

from typing import Any

import numpy as np
import polars as pl

from cellwise.stages.report._answers import (
    KEY,
    Answers,
    error_of,
    reliability_points,
    weighted_points,
)
from cellwise.stages.report._charts import reliability
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections.provenance import calibration

_DIAGRAMS = 24
# Of a class fewer judged cells draw no curve.
_FEWEST_JUDGED = 30


def context(material: Material) -> dict[str, Any]:
    """Diagrams of each class: of judged cells, of known cells, of labels of fields."""
    if material.predictions is None or not material.classes:
        return {"empty": "No classes were predicted in this run."}
    judged = [
        {"by": one.by, "cells": len(one.rows), "diagrams": _judged(material, one)}
        for one in material.answers
    ]
    known = _known(material)
    fields = _of_fields(material)
    if not fields and not known and not any(part["diagrams"] for part in judged):
        return {
            "empty": "No cell was judged and no field has a label: there is nothing to hold the "
            "probabilities against."
        }
    return {
        "judged": [part for part in judged if part["diagrams"]],
        "known": known,
        "fields": fields[:_DIAGRAMS],
        "hidden": max(0, len(fields) - _DIAGRAMS),
        "calibration": calibration(material),
        "before": material.before is not None,
        "fewest": _FEWEST_JUDGED,
        "adjusted": bool((material.decisions.get("decide") or {}).get("adjust")),
    }


def _judged(material: Material, answers: Answers) -> list[dict[str, Any]]:
    assert material.predictions is not None
    after = answers.rows.join(material.predictions, on=KEY, how="left", maintain_order="left")
    before = _before(material, answers.rows)
    drawn = []
    for column, name in enumerate(answers.classes):
        shows, weight = answers.shows[:, column], answers.weight
        if (np.isfinite(shows) & (weight > 0)).sum() < _FEWEST_JUDGED:
            continue
        if f"Prob_{name}" not in after.columns or not (shows == 1).any():
            continue
        stated = after[f"Prob_{name}"].cast(pl.Float64).to_numpy()
        points = weighted_points(stated, shows, weight)
        earlier = []
        if before is not None and name in before.columns:
            earlier = weighted_points(before[name].to_numpy(), shows, weight)
        drawn.append(_diagram(name, points, earlier, "share that shows it"))
    return drawn


def _of_fields(material: Material) -> list[dict[str, Any]]:
    labelled = material.labelled
    if not labelled.height:
        return []
    given = labelled["field_labels"]
    before = _before(material, labelled.select(KEY)) if "cell_id" in labelled.columns else None
    drawn = []
    for name in material.classes:
        truth = given.list.contains(name).fill_null(value=False).to_numpy().astype(bool)
        if not truth.any():
            continue
        points = reliability_points(labelled[material.column(name)].to_numpy(), truth)
        earlier = []
        if before is not None and name in before.columns:
            values = before[name].to_numpy()
            known = np.isfinite(values)
            earlier = reliability_points(values[known], truth[known])
        drawn.append(_diagram(name, points, earlier, "share in fields with it"))
    return drawn


def _known(material: Material) -> list[dict[str, Any]]:
    """The curves of all classes together that `cellwise evaluate` found, by set of fields."""
    found = []
    for title, table in (material.known.get("tables") or {}).items():
        said = table.get("calibration") or {}
        points = [(float(p), float(y), int(n)) for p, y, n in said.get("curve") or []]
        if points:
            found.append(_diagram(f"all classes, {title}", points, [], "share that shows it"))
    return found


def _before(material: Material, rows: pl.DataFrame) -> pl.DataFrame | None:
    """What score steps said of these cells; None where they are gone."""
    if material.before is None:
        return None
    found = rows.join(material.before, on=KEY, how="left", maintain_order="left")
    return found.with_columns(pl.col(pl.Float64).fill_null(np.nan))


def _diagram(name: str, points: Any, before: Any, y_title: str) -> dict[str, Any]:
    return {
        "name": name,
        "chart": reliability(points, before=before, y_title=y_title),
        "n": sum(n for _, _, n in points),
        "error": error_of(points),
        "error_before": error_of(before),
    }
