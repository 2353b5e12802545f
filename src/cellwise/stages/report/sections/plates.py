"""Plate heat maps: number of cells, share of cells per class, brightness of the protein."""

import re
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup

from cellwise.domain.plain_words import counted
from cellwise.domain.records import normalise_well
from cellwise.stages.report._plate_chart import legend, plate, row_name, small_plate
from cellwise.stages.report.drawing.svg import short
from cellwise.stages.report.material import PLATE, WELL, Material

_FORMATS = ((4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
_CLASSES = 8
# So many plates are drawn large, a row of maps each; more are small and side by side.
_LARGE, _MOST = 3, 48
# Kinds of maps that are open where there are many plates.
_OPEN = 3
_MOST_ALONE = 50


def context(material: Material) -> dict[str, Any]:
    """A row of maps per plate, or of many plates small maps side by side for each kind.

    Every map of one kind shares one scale over all plates.
    """
    table = well_table(material)
    if table is None or not table.height:
        return {"empty": "The images name no wells, so there is no plate to draw."}
    names = sorted(table[PLATE].unique().to_list())
    kinds = _kinds(material, table)
    if len(names) > 1 and table.height == len(names):
        return {**_told(material, names, kinds, _MOST_ALONE), "alone": _alone(table, kinds)}
    bounds = {column: _bounds(table[column], unit) for column, _, unit in kinds}
    told = {
        **_told(material, names, kinds, _MOST),
        "alone": None,
        "plates": [],
        "small": [],
        "edge": [note for name in names[:_MOST] for note in _edge_notes(table, name, kinds)],
    }
    parts = {name: table.filter(pl.col(PLATE) == name) for name in names[:_MOST]}
    if len(names) > _LARGE:
        return {**told, "small": _small(parts, kinds, bounds), "n_plates": len(names)}
    plates = [
        {
            "name": name,
            "n": part.height,
            "maps": [
                {"title": title, "chart": _map(part, column, title, bounds[column])}
                for column, title, _ in kinds
            ],
        }
        for name, part in parts.items()
    ]
    return {**told, "plates": plates}


def _small(
    parts: dict[str, pl.DataFrame],
    kinds: list[tuple[str, str, str]],
    bounds: dict[str, tuple[float, float]],
) -> list[dict[str, Any]]:
    """For each kind of map its scale and all plates, small."""
    shape = _shape(pl.concat(parts.values()))
    return [
        {
            "title": title,
            "open": place < _OPEN,
            "scale": legend(bounds[column]),
            "plates": [
                {
                    "name": name,
                    "chart": small_plate(
                        _values(part, column), shape,
                        title=f"Plate {name}: {title}", bounds=bounds[column],
                    ),
                }
                for name, part in parts.items()
            ],
        }
        for place, (column, title, _) in enumerate(kinds)
    ]  # fmt: skip


def _told(
    material: Material, names: list[str], kinds: list[tuple[str, str, str]], most: int
) -> dict[str, Any]:
    """What is not shown, and whether a protein is known."""
    return {
        "outlines_only": material.outlines_only,
        "hidden_plates": max(0, len(names) - most),
        "hidden_classes": max(0, len(material.classes) - _CLASSES),
        "protein": any(column == "intensity" for column, _, _ in kinds),
    }


def _alone(table: pl.DataFrame, kinds: list[tuple[str, str, str]]) -> dict[str, Any]:
    """A row for each plate that has one well with images."""
    rows = table.sort(PLATE).head(_MOST_ALONE).to_dicts()
    return {
        "titles": [title for _, title, _ in kinds],
        "rows": [
            {
                "plate": row[PLATE],
                "well": row[WELL],
                "given": ["–" if row[c] is None else _given(row[c], unit) for c, _, unit in kinds],
            }
            for row in rows
        ],
    }


def _given(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.0f} %"
    return f"{value:,}" if unit == "count" else short(value)


def well_table(material: Material) -> pl.DataFrame | None:
    """One row per plate and well: `row`, `column`, `n_cells`, `intensity`, share per class."""
    if material.sites is None or WELL not in material.sites.columns:
        return None
    sites = _with_plate(material.sites).filter(pl.col(WELL).is_not_null())
    if material.cells is None or not sites.height:
        return None
    cells = material.cells.join(sites.select("site_id", PLATE, WELL), on="site_id", how="inner")
    measured = [pl.len().alias("n_cells")]
    protein = protein_column(material)
    if protein is not None:
        measured.append(pl.col(protein).cast(pl.Float64).mean().alias("intensity"))
    table = cells.group_by(PLATE, WELL).agg(measured)
    empty = sites.select(PLATE, WELL).unique().join(table, on=[PLATE, WELL], how="left")
    shares = _shares(material, sites)
    if shares is not None:
        empty = empty.join(shares, on=[PLATE, WELL], how="left")
    return _placed(empty.with_columns(pl.col("n_cells").fill_null(0))).sort(PLATE, "row", "column")


def protein_column(material: Material) -> str | None:
    """The measurement column of the protein channel's mean brightness, if there is one."""
    if material.cells is None:
        return None
    for channel in material.channels:
        name = f"Cells_Intensity_Mean_{channel.name}"
        if channel.role == "protein" and name in material.cells.columns:
            return name
    return None


def _with_plate(sites: pl.DataFrame) -> pl.DataFrame:
    plates = pl.col(PLATE).fill_null("") if PLATE in sites.columns else pl.lit("")
    return sites.with_columns(plates.alias(PLATE))


def _shares(material: Material, sites: pl.DataFrame) -> pl.DataFrame | None:
    if material.predictions is None or material.units != "cell" or not material.classes:
        return None
    found = material.predictions.select("site_id", "Labels").join(
        sites.select("site_id", PLATE, WELL), on="site_id", how="inner"
    )
    shares = [
        pl.col("Labels").list.contains(name).mean().alias(f"share_{i}")
        for i, name in enumerate(material.classes[:_CLASSES])
    ]
    return found.group_by(PLATE, WELL).agg(shares)


def _placed(table: pl.DataFrame) -> pl.DataFrame:
    places = [place_on_plate(well) for well in table[WELL].to_list()]
    return table.with_columns(
        pl.Series("row", [p[0] if p else None for p in places], dtype=pl.Int32),
        pl.Series("column", [p[1] if p else None for p in places], dtype=pl.Int32),
    ).filter(pl.col("row").is_not_null())


def place_on_plate(well: str) -> tuple[int, int] | None:
    """Row and column of a well by its name, from 0; None where it is no name of a place."""
    match = re.fullmatch(r"([A-Z]{1,2})(\d{2})", normalise_well(well) or "")
    if match is None:
        return None
    row = 0
    for letter in match[1]:
        row = row * 26 + ord(letter) - 64
    return row - 1, int(match[2]) - 1


def _kinds(material: Material, table: pl.DataFrame) -> list[tuple[str, str, str]]:
    kinds = [("n_cells", "cells per well", "count")]
    for i, name in enumerate(material.classes[:_CLASSES]):
        if f"share_{i}" in table.columns:
            kinds.append((f"share_{i}", f"share of cells: {name}", "share"))
    if "intensity" in table.columns:
        kinds.append(("intensity", "protein, mean brightness", "value"))
    return kinds


def _bounds(values: pl.Series, unit: str) -> tuple[float, float]:
    known = values.drop_nulls().to_numpy()
    if unit == "share" or not known.size:
        return 0.0, 1.0
    if unit == "count":
        return 0, int(max(known.max(), 1))
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low, low + 1e-6)


def _map(table: pl.DataFrame, column: str, title: str, bounds: tuple[float, float]) -> Markup:
    tips = {}
    for row in table.filter(pl.col(column).is_not_null()).to_dicts():
        place = (row["row"], row["column"])
        name = f"{row_name(place[0])}{place[1] + 1:02d}"
        tips[place] = (
            f"{name}: {title} {short(row[column])}, n = {counted(row['n_cells'], 'cells')}"
        )
    wells = _values(table, column)
    return plate(wells, _shape(table), title=title, bounds=bounds, tips=tips)


def _values(table: pl.DataFrame, column: str) -> dict[tuple[int, int], float]:
    """Row and column of wells to what is known of them."""
    known = table.filter(pl.col(column).is_not_null())
    return {
        (row, place): float(value)
        for row, place, value in known.select("row", "column", column).iter_rows()
    }


def _shape(table: pl.DataFrame) -> tuple[int, int]:
    """Rows and columns of the smallest usual plate that has all these wells."""
    rows, columns = int(table["row"].max() or 0) + 1, int(table["column"].max() or 0) + 1  # type: ignore[arg-type]
    return next((f for f in _FORMATS if f[0] >= rows and f[1] >= columns), (rows, columns))


def _edge_notes(table: pl.DataFrame, name: str, kinds: list[tuple[str, str, str]]) -> list[str]:
    """Sentences where outer wells differ from inner ones by more than chance would give."""
    wells = table.filter(pl.col(PLATE) == name)
    rows, columns = wells["row"].to_numpy(), wells["column"].to_numpy()
    outer = (rows == rows.min()) | (rows == rows.max())
    outer |= (columns == columns.min()) | (columns == columns.max())
    notes = []
    for column, title, unit in kinds:
        if unit == "share":
            continue
        values = wells[column].to_numpy().astype(float)
        a, b = values[outer & np.isfinite(values)], values[~outer & np.isfinite(values)]
        if min(len(a), len(b)) < 4:
            continue
        error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        if error > 0 and abs(a.mean() - b.mean()) > 3 * error:
            where = f"Plate {name}: " if name else ""
            notes.append(
                f"{where}{title} is {short(float(a.mean()))} on average in the outer wells "
                f"(n = {len(a)}) and {short(float(b.mean()))} in the inner wells "
                f"(n = {len(b)})."
            )
    return notes
