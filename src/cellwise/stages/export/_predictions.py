"""Predictions of a run, read a piece at a time, so that a million cells fit any memory."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from cellwise.contracts.exporter import RunTables
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError
from cellwise.store.run.tables import read_classes

PREFIX = "Prob_"
_ROWS_AT_ONCE = 65536


def prediction_columns(run: RunTables) -> list[str]:
    """The columns of the run's predictions.

    Raises:
        PreflightError: The run has none.
        FormatError: The table is torn or written by a newer cellwise.
    """
    if not run.predictions.is_file():
        raise PreflightError(
            f"{run.path} holds no predictions: its recipe learns nothing, or it is unfinished. "
            "Let `cellwise run` end first; of a run that answers wells, give --to profiles or "
            "--to rxrx1-csv."
        )
    read_classes(run.predictions, PREDICTIONS)
    return [str(name) for name in pq.read_schema(run.predictions).names]


def class_names(columns: list[str]) -> list[str]:
    """The classes that have a probability column, in the order of the run's class list."""
    return [name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX)]


def batches(path: Path, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """Rows of a stored table in order, some at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame


def by_site(path: Path, columns: list[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Site id and all its rows, one site after the other; the table is sorted by site."""
    rest: pl.DataFrame | None = None
    for frame in batches(path, columns):
        joined = frame if rest is None else pl.concat([rest, frame])
        # The last site may go on in the next piece.
        last = joined["site_id"][-1] if joined.height else None
        for (site_id,), rows in joined.group_by("site_id", maintain_order=True):
            if site_id != last:
                yield str(site_id), rows
        rest = joined.filter(pl.col("site_id") == last)
    if rest is not None and rest.height:
        yield str(rest["site_id"][0]), rest
