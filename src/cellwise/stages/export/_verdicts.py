"""Columns of what people said of cells, beside what the models say.

`Verdict_yes`, `Verdict_no` and `Verdict_unsure` hold classes. They are there where people have
judged cells of the run, and hold nothing (null) for cells that nobody judged. A class of which two
people say different things stands under unsure. Labels and probabilities stay those of the models.
"""

from collections.abc import Callable

import polars as pl

from cellwise.contracts.exporter import RunTables
from cellwise.store.annotations.outlines import followed
from cellwise.store.annotations.saves import annotations
from cellwise.store.annotations.words import UNSURE, VERDICTS
from cellwise.store.run.folder import RunFolder

COLUMNS = {verdict: f"Verdict_{verdict}" for verdict in VERDICTS}
_CELL = ["site_id", "cell_id"]


def verdict_columns(run: RunTables) -> Callable[[pl.DataFrame], list[pl.Series]]:
    """What gives rows with `site_id` and `cell_id` these columns, none where nobody judged.

    Verdicts on cells that were found again since go to the cell with the same pixels, or to none.

    Raises:
        FormatError: A save of verdicts or a label image is torn.
    """
    folder = RunFolder(run.path)
    said = followed(annotations(folder), folder.masks).found
    if said.is_empty():
        return lambda _: []
    by_class = said.group_by([*_CELL, "class"]).agg(
        pl.when(pl.col("verdict").n_unique() == 1)
        .then(pl.col("verdict").first())
        .otherwise(pl.lit(UNSURE))
        .alias("verdict")
    )
    by_cell = by_class.group_by(_CELL).agg(
        pl.col("class").filter(pl.col("verdict") == verdict).sort().alias(name)
        for verdict, name in COLUMNS.items()
    )

    def columns(rows: pl.DataFrame) -> list[pl.Series]:
        found = rows.select(_CELL).join(by_cell, on=_CELL, how="left", maintain_order="left")
        return [found[name] for name in COLUMNS.values()]

    return columns
