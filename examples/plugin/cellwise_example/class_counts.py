"""One CSV row per field: its cells, and how many of them show each class.

Source: the table that our own statistics start from.
"""

from pathlib import Path

import polars as pl

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.errors import PreflightError
from cellwise.store.atomic import writing

PREFIX = "Prob_"


def build(above: float = 0.5) -> Exporter:
    """Make the writer `(run, file)`.

    Args:
        above: A cell shows a class from this probability on, in 0..1.
    """

    def write(run: RunTables, path: Path) -> None:
        if not run.predictions.is_file():
            raise PreflightError(f"{run.path}: no predictions; a recipe with `decide` makes them.")
        cells = pl.read_parquet(run.predictions)
        classes = [name for name in cells.columns if name.startswith(PREFIX)]
        if not classes:
            raise PreflightError(f"{run.path}: the predictions have no column per class.")
        counts = [(pl.col(c) >= above).sum().alias(c.removeprefix(PREFIX)) for c in classes]
        table = cells.group_by("site_id").agg(pl.len().alias("cells"), *counts)
        # `writing` gives a temporary name: the file appears whole or not at all.
        with writing(path) as partial:
            table.sort("site_id").write_csv(partial)

    return write
