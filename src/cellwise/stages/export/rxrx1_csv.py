"""The submission file of the RxRx1 challenge: `id_code,sirna`, a row for each test well.

Source: Recursion Cellular Image Classification (Kaggle 2019).
"""

from pathlib import Path

import polars as pl

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, id_codes
from cellwise.domain.tables import TREATMENTS
from cellwise.errors import PreflightError
from cellwise.store.atomic import writing
from cellwise.store.run.tables import read_table

_FIRST = 3


def build() -> Exporter:
    """Make the writer `(run, file)`.

    Treated wells of the test part are written, all treated wells where there is none, with the
    `answer` of the table of treatments, which takes from the design of the plates what the run's
    step `assign` was told to. A well without an answer is refused: the challenge wants a row for
    every test well.
    """

    def write(run: RunTables, path: Path) -> None:
        table = run.path / "treatments.parquet"
        if not table.is_file():
            raise PreflightError(
                f"{run.path} holds no treatments of wells: its recipe has no step 'assign', or it "
                "is unfinished."
            )
        rows = submitted(read_table(table, TREATMENTS))
        with writing(path) as partial:
            rows.write_csv(partial)

    return write


def submitted(treatments: pl.DataFrame) -> pl.DataFrame:
    """Rows `id_code`, `sirna`, sorted.

    Raises:
        PreflightError: A well has no answer, no plate or experiment, or its answer is no number.
    """
    control = pl.col("well_type").is_in([POSITIVE, NEGATIVE]).fill_null(value=False)
    table = treatments.filter(~control).with_columns(id_codes(treatments.filter(~control)))
    tested = table.filter(pl.col("part") == "test")
    rows = (tested if len(tested) else table).select("well", "id_code", sirna="answer")
    unnamed = rows.filter(pl.col("id_code").is_null())["well"].to_list()
    lost = rows.filter(pl.col("sirna").is_null())["well"].to_list()
    words = rows.filter(~pl.col("sirna").str.contains(r"^\d+$"))["sirna"].unique().to_list()
    if unnamed:
        raise PreflightError(f"{_some(unnamed)}: no experiment, plate or place is known of it.")
    if lost:
        raise PreflightError(f"{_some(lost)}: no site of it was scored, so it has no answer.")
    if words:
        raise PreflightError(
            f"The treatments of this run ({_some(sorted(words))}) are no numbers of siRNAs, so "
            "this is no submission to RxRx1."
        )
    return rows.select("id_code", "sirna").sort("id_code")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _FIRST} more" if len(names) > _FIRST else ""
    return ", ".join(names[:_FIRST]) + more
