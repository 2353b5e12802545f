"""Which cells a brought file was taken for, so that it is not taken for others later.

A file that says nothing of its cells but their numbers fits any masks that have as many.
"""

import polars as pl

from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS
from cellwise.errors import PreflightError
from cellwise.store.atomic import writing
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

_NAME = "cells_then.parquet"
_COLUMNS = ("site_id", "cell_id", "area")
UNDER = "made_under"


def note_cells(job: Job) -> None:
    """Keep what the cells were when the vectors of a file were taken."""
    run = RunFolder(job.run)
    with writing(run.embeddings(job.name) / _NAME) as partial:
        _fingerprints(run).write_parquet(partial)


def refuse_other_cells(job: Job) -> None:
    """Refuse the file that was taken before, where fields have been segmented again since.

    Args:
        job: The job of the step, not of a batch: its key says which file and options there are.

    Raises:
        PreflightError: Names a field and the ways out.
    """
    run = RunFolder(job.run)
    folder = run.embeddings(job.name)
    card, noted = folder / "embeddings.json", folder / _NAME
    if not card.is_file() or not noted.is_file() or read_json(card).get(UNDER) != job.key:
        return
    both = pl.read_parquet(noted).join(_fingerprints(run), on="site_id", suffix="_now")
    names = ("cells", "areas", "order")
    odd = both.filter(pl.any_horizontal(pl.col(n) != pl.col(f"{n}_now") for n in names))
    if odd.height:
        raise PreflightError(
            f"Step {job.name!r}: the file of embeddings was taken for other cells: "
            f"{odd.sort('site_id')['site_id'][0]} and {odd.height - 1} other fields were segmented "
            f"anew since. Make the embeddings again, or delete {folder} if the file is of the new "
            "cells."
        )


def _fingerprints(run: RunFolder) -> pl.DataFrame:
    """Number, sizes and order of the cells of each site."""
    cells = read_table(run.cells, CELLS, columns=_COLUMNS)
    area, number = pl.col("area").cast(pl.Int64), pl.col("cell_id").cast(pl.Int64)
    found = cells.group_by("site_id").agg(
        pl.len().cast(pl.Int64).alias("cells"),
        area.sum().alias("areas"),
        (area * number).sum().alias("order"),
    )
    return found.sort("site_id")
