"""Dose-response: mean probability of the wells over dose, per drug, with the midpoint.

Beside it stands a plain measurement that needs no learning, where the run has one: the nuclear to
ring ratio of the protein, as in translocation assays (Ljosa et al., Nat Methods 9, 637, 2012).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.stages.report._charts import Curve, curves
from cellwise.stages.report.drawing.svg import BLUE, ORANGE, short
from cellwise.stages.report.material import PLATE, WELL, Material

_SHOWN = 24
_PER_LEVEL = 3


def context(material: Material) -> dict[str, Any]:
    """One chart per drug and class: its wells, its curve, its midpoint, and the reference."""
    entries = material.evaluation.get("drugs") or []
    if not entries:
        return {"empty": "No doses are known for the wells of this run, so no curve was fitted."}
    reference = reference_by_well(material)
    drawn = [_drug(entry, reference) for entry in entries[:_SHOWN]]
    return {
        "drugs": drawn,
        "hidden": len(entries) - len(drawn),
        "reference": any(entry["reference"] for entry in drawn),
        "several": len({entry.get("class") for entry in entries}) > 1,
    }


def reference_by_well(material: Material) -> dict[tuple[str, str], float]:
    """Median over cells of log(nuclear / ring) of the protein per plate and well."""
    column = _ratio_column(material)
    if column is None or material.cells is None or material.sites is None:
        return {}
    if WELL not in material.sites.columns:
        return {}
    plate = pl.col(PLATE).fill_null("") if PLATE in material.sites.columns else pl.lit("")
    places = material.sites.select("site_id", plate.alias(PLATE), WELL)
    measured = material.cells.select(
        "site_id", pl.col(column).cast(pl.Float64).log().alias("ratio")
    )
    measured = measured.filter(pl.col("ratio").is_finite())
    medians = (
        measured.join(places, on="site_id", how="inner")
        .filter(pl.col(WELL).is_not_null())
        .group_by(PLATE, WELL)
        .agg(pl.col("ratio").median())
    )
    return {(plate, well): float(value) for plate, well, value in medians.iter_rows()}


def _ratio_column(material: Material) -> str | None:
    names = [] if material.cells is None else material.cells.columns
    for channel in material.channels:
        column = f"Cells_NuclearRingRatio_{channel.name}"
        if channel.role == "protein" and column in names:
            return column
    return None


def _drug(entry: dict[str, Any], reference: dict[tuple[str, str], float]) -> dict[str, Any]:
    points = [p for p in entry.get("points") or [] if p.get("value") is not None]
    doses = [float(p["dose"]) for p in points] or [0.0, 1.0]
    fitted = entry.get("midpoint") is not None and not entry.get("reason")
    beside = _reference_curve(entry, points, reference)
    values = [float(p["value"]) for p in points] + [v for _, v in beside.line] if beside else []
    top = max([1.0, *values])
    main = Curve(
        "probability",
        BLUE,
        [(float(x), float(y)) for x, y in entry.get("line") or []],
        [(float(p["dose"]), float(p["value"]), _tip(p)) for p in points],
        (entry["midpoint"], entry["low"], entry["high"])
        if fitted and entry.get("low") is not None
        else None,
    )
    margin = 0.03 * (max(doses) - min(doses) or 1.0)
    return {
        "title": str(entry.get("drug") or "All wells"),
        "class": entry.get("class"),
        "chart": curves(
            [main, beside] if beside else [main],
            x_title="dose step",
            y_title="mean probability per well",
            x_range=(min(doses) - margin, max(doses) + margin),
            y_range=(0.0, top),
        ),
        "fitted": fitted,
        "reason": entry.get("reason") or "",
        "facts": _facts(entry, fitted=fitted),
        "n": entry.get("n", len(points)),
        "cells": sum(int(p.get("n_cells") or 0) for p in points),
        "reference": beside is not None,
    }


def _tip(point: dict[str, Any]) -> str:
    place = " ".join(str(point[key]) for key in ("plate", "well") if point.get(key))
    return (
        f"{place}: {short(point['value'])}, n = {counted(int(point.get('n_cells') or 0), 'cells')}"
    )


def _facts(entry: dict[str, Any], *, fitted: bool) -> list[tuple[str, str]]:
    facts = []
    if fitted:
        low, high = entry.get("low"), entry.get("high")
        interval = f" ({short(low)} to {short(high)})" if low is not None else ""
        facts = [
            ("Midpoint, dose steps (95 %)", f"{short(entry['midpoint'])}{interval}"),
            ("Explained by the curve, R²", short(entry.get("r2"))),
            (
                "Plateaus, low and high dose",
                f"{short(entry.get('bottom'))}, {short(entry.get('top'))}",
            ),
        ]
    return [
        *facts,
        *_range(entry),
        ("Rank correlation with dose", short(entry.get("spearman"))),
    ]


def _range(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """The lowest and the highest dose in their unit, where one is stated."""
    amounts = [p["amount"] for p in entry.get("points") or [] if p.get("amount") is not None]
    if not entry.get("unit") or not amounts:
        return []
    return [("Lowest and highest dose", f"{min(amounts):g} and {max(amounts):g} {entry['unit']}")]


def _reference_curve(
    entry: dict[str, Any], points: list[dict[str, Any]], reference: dict[tuple[str, str], float]
) -> Curve | None:
    """The reference of the same wells, moved and stretched onto the span of the curve."""
    keys = [(str(p.get("plate") or ""), str(p["well"])) for p in points]
    known = [
        (float(p["dose"]), reference[k])
        for p, k in zip(points, keys, strict=True)
        if k in reference
    ]
    bottom, top = entry.get("bottom"), entry.get("top")
    if len(known) < 4 or bottom is None or top is None:
        return None
    dose, value = (np.array(column) for column in zip(*known, strict=True))
    levels = np.unique(dose)
    means = np.array([value[dose == level].mean() for level in levels])
    scaled = _stretched(means, float(bottom), float(top))
    line = [(float(x), float(y)) for x, y in zip(levels, scaled, strict=True)]
    return Curve("nuclear / ring ratio", ORANGE, line, dashed=True)


def _stretched(
    means: npt.NDArray[np.float64], bottom: float, top: float
) -> npt.NDArray[np.float64]:
    """First and last doses (mean of up to three each) onto the two plateaus, clipped to 0..1."""
    few = min(_PER_LEVEL, len(means) // 2)
    first, last = means[:few].mean(), means[-few:].mean()
    share = (means - first) / (last - first) if last != first else np.zeros_like(means)
    return np.asarray(np.clip(bottom + share * (top - bottom), 0, 1))
