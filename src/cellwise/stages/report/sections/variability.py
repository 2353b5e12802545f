"""Variability between cells: how far cells of one well, or one field, agree with each other."""

from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup

from cellwise.measures.bootstrap import numbered
from cellwise.measures.variability import group_quantiles, share_within
from cellwise.stages.report._charts import Spread, histogram, spreads
from cellwise.stages.report.drawing.svg import BLUE, GREY, VERMILION
from cellwise.stages.report.material import PLATE, WELL, Material

_BINS = 20
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
# Less than this between all cells is no spread of which shares say anything.
_FLAT = 0.01
_CHARTS, _HISTOGRAMS, _GROUPS = 4, 24, 120


def context(material: Material) -> dict[str, Any]:
    """Histograms per class, quantiles per well (or field), and the share of spread within wells."""
    if material.predictions is None or not material.classes:
        return {"empty": "No classes were predicted in this run, so no probability can vary."}
    if material.units != "cell" or not material.predictions.height:
        return {"empty": "No single cell has a probability in this run."}
    everyone = _with_labels(material)
    table, what = _grouped(everyone)
    unlearned = material.unlearned
    learned = [name for name in material.classes if name not in unlearned]
    flat = [name for name in learned if _is_flat(table, name)]
    classes = [name for name in learned if name not in flat]
    shares = [_within(table, name, material.column(name)) for name in classes]
    shown = [name for name in _informative(material) if name in classes][:_CHARTS]
    return {
        "what": what,
        "histograms": [
            {"name": name, "chart": _histogram(everyone, name)} for name in classes[:_HISTOGRAMS]
        ],
        "charts": [{"name": name, "chart": _by_group(table, name, what)} for name in shown],
        "shares": [share for share in shares if share is not None],
        "hidden": max(0, len(classes) - len(shown)),
        "unlearned": unlearned,
        "flat": flat,
        "flat_below": _FLAT,
        "n": material.predictions.height,
        "n_groups": table["_group"].n_unique(),
        "most_groups": _GROUPS,
        "labelled": material.has_labels,
    }


def _with_labels(material: Material) -> pl.DataFrame:
    assert material.predictions is not None
    assert material.sites is not None
    labels = material.sites.select("site_id", pl.col("labels").alias("_labels"))
    return material.predictions.join(labels, on="site_id", how="left", maintain_order="left")


def _grouped(table: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The cells with `_group`, the well where known and else the field, and the word for it."""
    if WELL in table.columns and table[WELL].null_count() < table.height:
        plate = pl.col(PLATE).fill_null("") if PLATE in table.columns else pl.lit("")
        several = PLATE in table.columns and table[PLATE].n_unique() > 1
        name = pl.concat_str([plate, pl.lit(" "), pl.col(WELL)]) if several else pl.col(WELL)
        return table.filter(pl.col(WELL).is_not_null()).with_columns(name.alias("_group")), "well"
    return table.with_columns(pl.col("site_id").alias("_group")), "field"


def _informative(material: Material) -> list[str]:
    """Classes whose probability spreads most over the cells; of two that mirror each other, one."""
    assert material.predictions is not None
    left_out = material.unlearned
    values = {
        name: material.predictions[material.column(name)].to_numpy()
        for name in material.classes
        if name not in left_out
    }
    order = sorted(values, key=lambda name: -float(np.nanstd(values[name])))
    kept: list[str] = []
    for name in order:
        if not any(np.allclose(values[name], 1 - values[other], atol=1e-3) for other in kept):
            kept.append(name)
    return kept


def _is_flat(table: pl.DataFrame, name: str) -> bool:
    found = table["Prob_" + name].to_numpy()
    return bool(np.ptp(found) < _FLAT) if len(found) else True


def _within(table: pl.DataFrame, name: str, column: str) -> dict[str, Any] | None:
    """How much of the variance of a class's probability lies within groups (0..1)."""
    group = numbered(table["_group"].to_numpy())
    within = share_within(table[column].to_numpy().astype(np.float64), group)
    if within is None:
        return None
    return {"name": name, "within": within, "n": len(group), "groups": int(group.max()) + 1}


def _by_group(table: pl.DataFrame, name: str, what: str) -> Markup:
    column = "Prob_" + name
    grouped = table.group_by("_group").agg(pl.len().alias("n"), pl.col("_labels").first())
    grouped = grouped.sort("_group")
    values, group = (
        table[column].to_numpy().astype(np.float64),
        numbered(table["_group"].to_numpy()),
    )
    found = group_quantiles(values, group, _LEVELS, count=grouped.height)
    grouped = grouped.with_columns(pl.Series("quantiles", found), pl.Series("median", found[:, 2]))
    if grouped.height > _GROUPS:
        grouped = grouped.sort("median", "_group").gather_every(-(-grouped.height // _GROUPS))
    groups = [
        Spread(
            row["_group"],
            tuple(row["quantiles"]),
            row["n"],
            _colour(row["_labels"], name),
            f", label: {' + '.join(row['_labels'])}" if row["_labels"] else ", no label",
        )
        for row in grouped.to_dicts()
    ]
    return spreads(groups, y_title="probability per cell", x_title=what)


def _colour(labels: list[str] | None, name: str) -> str:
    if labels is None:
        return GREY
    return VERMILION if name in labels else BLUE


def _histogram(table: pl.DataFrame, name: str) -> Markup:
    edges = np.linspace(0, 1, _BINS + 1)
    has = pl.col("_labels").list.contains(name)
    parts = (
        ("fields with this label", VERMILION, table.filter(has)),
        ("fields with another label", BLUE, table.filter(~has)),
        ("fields without a label", GREY, table.filter(pl.col("_labels").is_null())),
    )
    series = []
    for words, colour, rows in parts:
        counts, _ = np.histogram(rows["Prob_" + name].to_numpy(), bins=edges)
        series.append((words, colour, [int(count) for count in counts]))
    return histogram(
        series,
        [float(e) for e in edges],
        x_title="probability",
        y_title="cells",
        wide=300,
        high=170,
    )
