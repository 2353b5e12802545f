"""Sheets: tables of cells that a person fills with what each of them shows."""

import csv
import io
from pathlib import Path

import polars as pl

from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_key

_COLUMNS = ("site_id", "cell_id", "mask_key", "x", "y", "drawn", "classes", "who")


def write_sheet(run: RunFolder, path: Path, cells: pl.DataFrame, *, drawn: str) -> pl.DataFrame:
    """Write a sheet of these cells, with the key of their field's masks; returns them with it.

    Args:
        run: The run folder.
        path: The file.
        cells: `site_id`, `cell_id`, `x` and `y`, in the order in which they are to be looked at.
        drawn: What picked them; `random` only for cells drawn at random.
    """
    keys = {site: mask_key(run.masks, site) for site in cells["site_id"].unique().sort()}
    rows = cells.with_columns(
        pl.col("site_id").replace_strict(keys, return_dtype=pl.String).alias("mask_key")
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows.iter_rows(named=True):
        place = {name: row[name] for name in ("site_id", "cell_id", "mask_key")}
        writer.writerow({**place, "x": f"{row['x']:.1f}", "y": f"{row['y']:.1f}", "drawn": drawn})
    write_text(path, text.getvalue())
    return rows


def new_sheet(run: RunFolder, name: str) -> Path:
    """The first file of this name that is not there: a person may have filled the others."""
    path, number = run.annotations / f"{name}.csv", 1
    while path.exists():
        number += 1
        path = run.annotations / f"{name}-{number}.csv"
    return path
