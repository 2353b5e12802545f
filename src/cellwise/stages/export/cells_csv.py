"""One CSV row per cell, as `predictions.parquet` has them; lists are joined by `|`.

Source: the columns follow CellProfiler and pycytominer (`Metadata_*`, `Cells_*`, `Nuclei_*`), so
that those tools read the file as it is.
"""

from pathlib import Path

import polars as pl

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.domain.classes import SEPARATOR
from cellwise.stages.export._predictions import batches, prediction_columns
from cellwise.store.atomic import writing


def build() -> Exporter:
    """Make the writer `(run, file)`; an empty field means unknown, an empty list of labels too."""

    def write(run: RunTables, path: Path) -> None:
        prediction_columns(run)
        with writing(path) as partial, partial.open("wb") as handle:
            first = True
            for frame in batches(run.predictions):
                _flat(frame).write_csv(handle, include_header=first)
                first = False
            if first:
                header = pl.read_parquet_schema(run.predictions)
                pl.DataFrame(schema=dict.fromkeys(header, pl.String)).write_csv(handle)

    return write


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    lists = [name for name, kind in frame.schema.items() if kind.base_type() == pl.List]
    return frame.with_columns(
        pl.col(name).cast(pl.List(pl.String)).list.join(SEPARATOR) for name in lists
    )
