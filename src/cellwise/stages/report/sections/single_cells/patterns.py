"""How many cells of samples and proteins show what, and which fields are mixtures."""

from typing import Any

import polars as pl

from cellwise.measures.variability_table import FIELD, PROTEIN, SAMPLE, WELL
from cellwise.stages.report._charts import bar
from cellwise.stages.report.drawing.svg import BLUE
from cellwise.stages.report.material import Material

_UNITS, _FIELDS, _CLASSES = 20, 15, 4
_LEAST_CLAIMED = 0.005


def context(material: Material) -> dict[str, Any]:
    """Tables of the units whose cells differ most, largest first, and the fields with mixtures."""
    table = material.variability
    if table is None or not table.height:
        return {"empty": "No single cell was claimed to show a class in this run."}
    fields = _units(table, FIELD)
    mixtures = fields.filter("mixture").sort("entropy", "unit", descending=[True, False])
    larger = [level for level in (PROTEIN, SAMPLE, WELL) if (table["level"] == level).any()]
    shown = larger[0] if larger else FIELD
    return {
        "level": shown,
        "units": _rows(table, shown, _units(table, shown), _UNITS),
        "n_units": _units(table, shown).height,
        "mixtures": _rows(table, FIELD, mixtures, _FIELDS),
        "n_mixtures": mixtures.height,
        "n_fields": fields.height,
        "audited": bool((table["by"] == "audit").any()),
        "of_audit": table.filter(pl.col("by") == "audit")["class"].n_unique(),
        "n_classes": table["class"].n_unique(),
        "levels": table["level"].unique(maintain_order=True).to_list(),
    }


def _units(table: pl.DataFrame, level: str) -> pl.DataFrame:
    rows = table.filter(pl.col("level") == level)
    return rows.unique("unit", keep="first", maintain_order=True)


def _rows(table: pl.DataFrame, level: str, units: pl.DataFrame, most: int) -> list[dict[str, Any]]:
    """The units whose cells differ most, each with its patterns, the most frequent first."""
    chosen = units.sort("entropy", "unit", descending=[True, False]).head(most)
    names = chosen["unit"].to_list()
    own = table.filter((pl.col("level") == level) & pl.col("unit").is_in(names))
    largest = max([1e-9, *chosen["entropy"].to_list()])
    by_unit = {str(name): rows for (name,), rows in own.group_by("unit", maintain_order=True)}
    return [
        {
            **unit,
            "patterns": _patterns(by_unit[unit["unit"]]),
            "bar": bar(unit["entropy"] / largest, colour=BLUE, wide=60),
            "mixed_classes": by_unit[unit["unit"]].filter("mixed")["class"].to_list(),
        }
        for unit in chosen.to_dicts()
    ]


def _patterns(rows: pl.DataFrame) -> list[dict[str, Any]]:
    best = pl.coalesce("share", "claimed").alias("most")
    found = rows.with_columns(best).filter(pl.col("most") >= _LEAST_CLAIMED)
    return found.sort("most", descending=True, maintain_order=True).head(_CLASSES).to_dicts()
