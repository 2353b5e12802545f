"""One CSV row per cell, as `predictions.parquet` has them; lists are joined by `|`.

Source: the columns follow CellProfiler and pycytominer (`Metadata_*`, `Cells_*`, `Nuclei_*`), so
that those tools read the file as it is.
"""

from pathlib import Path

import polars as pl

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.domain.classes import SEPARATOR
from cellwise.errors import PreflightError
from cellwise.stages.export._features import feature_columns, named_embeddings
from cellwise.stages.export._predictions import batches, prediction_columns
from cellwise.stages.export._sets import set_columns
from cellwise.stages.export._verdicts import verdict_columns
from cellwise.store.atomic import writing


def build(features: bool = False) -> Exporter:  # noqa: FBT001, FBT002
    """Make the writer `(run, file)`; an empty field means unknown, an empty list of labels too.

    Behind the predictions stands `Abstain`, where an audit promises something `May_show` and
    `Surely_shows`, and where people have judged cells `Verdict_yes`, `Verdict_no` and
    `Verdict_unsure`.

    Args:
        features: Also write the named numbers of each cell that embed steps measured; of a number
            that the table holds already the table's stands there.
    """

    def write(run: RunTables, path: Path) -> None:
        columns = prediction_columns(run)
        kept = named_embeddings(run.path) if features else []
        if features and not kept:
            raise PreflightError(
                f"{run.path} holds no measured features. Add a step to its recipe: "
                "`embed: {by: measured}`."
            )
        promised, judged = set_columns(run), verdict_columns(run)
        with writing(path) as partial, partial.open("wb") as handle:
            first = True
            for frame in batches(run.predictions):
                measured = feature_columns(kept, frame, columns)
                whole = _flat(frame.hstack([*promised(frame), *judged(frame)])).hstack(measured)
                whole.write_csv(handle, include_header=first)
                first = False
            if first:
                none = pl.DataFrame(schema={"site_id": pl.String, "cell_id": pl.Int32})
                header = [*columns, "Abstain", *feature_columns(kept, none, columns).columns]
                pl.DataFrame(schema=dict.fromkeys(header, pl.String)).write_csv(handle)

    return write


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    lists = [name for name, kind in frame.schema.items() if kind.base_type() == pl.List]
    return frame.with_columns(
        pl.col(name).cast(pl.List(pl.String)).list.join(SEPARATOR) for name in lists
    )
