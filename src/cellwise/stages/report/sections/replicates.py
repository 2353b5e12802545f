"""Replicates and position: how far wells treated alike agree, and whether place explains values."""

from typing import Any

import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.stages.report._charts import scatter
from cellwise.stages.report.drawing.svg import BLUE, short
from cellwise.stages.report.material import PLATE, WELL, Material

_CLASSES, _POSITIONS = 6, 60
# Share of variance that a factor explains beyond what it would by chance.
_NOTABLE = 0.25
GOOD_Z = 0.5


def context(material: Material) -> dict[str, Any]:
    """Agreement of replicates, control wells, and shares of variance by row, column and edge."""
    if material.wells is None or not material.wells.height:
        return {"empty": "Nothing was decided per well in this run, so wells cannot be compared."}
    agreement = material.evaluation.get("replicates") or []
    quality = material.evaluation.get("screen_quality") or []
    positions = material.evaluation.get("positions") or []
    charts = _pairs(material)
    if not (agreement or quality or positions or charts):
        return {"empty": "No wells of this run were treated alike or marked as controls."}
    told = [_position(row) for row in positions if _is_told(row)]
    return {
        "agreement": [{**row, "name": row["class"]} for row in agreement],
        "charts": charts,
        "quality": [{**row, "name": row["class"], "words": _quality(row)} for row in quality],
        "positions": told[:_POSITIONS],
        "hidden": max(0, len(told) - _POSITIONS),
        "asked": len(positions),
        "untold": len(positions) - len(told),
        "notable": _NOTABLE,
    }


def _quality(row: dict[str, Any]) -> tuple[str, str]:
    value = row.get("z_prime")
    if value is None:
        return "", "not known"
    if value >= GOOD_Z:
        return "good", "well apart"
    return ("care", "apart, but close") if value > 0 else ("bad", "not apart")


def _is_told(row: dict[str, Any]) -> bool:
    return row.get("eta2") is not None and row.get("expected") is not None


def _position(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "name": row["class"], "notable": row["eta2"] - row["expected"] > _NOTABLE}


def _pairs(material: Material) -> list[dict[str, Any]]:
    """Per class: each well against the mean of the other wells of its condition."""
    wells = material.wells
    if wells is None or "Condition" not in wells.columns:
        return []
    if wells["Condition"].drop_nulls().n_unique() < 2:
        # Wells that were all treated alike have nothing that they should differ from.
        return []
    charts: list[dict[str, Any]] = []
    for name in material.classes:
        column = f"Fraction_{name}"
        if column not in wells.columns or len(charts) == _CLASSES:
            continue
        known = wells.filter(pl.col("Condition").is_not_null() & pl.col(column).is_not_null())
        others = (pl.col(column).sum() - pl.col(column)) / (pl.len() - 1)
        paired = known.with_columns(
            others.over("Condition").alias("others"), pl.len().over("Condition").alias("alike")
        ).filter(pl.col("alike") > 1)
        if paired.height < 4:
            continue
        points = [
            (row["others"], row[column], BLUE, _tip(row, column)) for row in paired.to_dicts()
        ]
        charts.append({"name": name, "n": paired.height, "chart": _scatter(points)})
    return charts


def _scatter(points: list[tuple[float, float, str, str]]) -> Any:
    return scatter(
        points,
        x_title="other wells of the condition",
        y_title="this well",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        wide=250,
        high=250,
    )


def _tip(row: dict[str, Any], column: str) -> str:
    place = " ".join(str(row[key]) for key in (PLATE, WELL) if row.get(key))
    return (
        f"{place}: {short(row[column])}, the {row['alike'] - 1} other wells of its condition "
        f"{short(row['others'])}, n = {counted(row['n_cells'], 'cells')}"
    )
