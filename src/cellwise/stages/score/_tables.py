"""Where the cells of sites stand, and which fold each site was left out in."""

from collections.abc import Sequence

import polars as pl

from cellwise.domain.steps import Job
from cellwise.domain.tables import FOLDS
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import rows_of_sites


def places_of(cells: pl.DataFrame) -> dict[str, slice]:
    """Where the cells of each site stand; the table is sorted by site."""
    counts = cells.group_by("site_id", maintain_order=True).len()
    ends = counts["len"].cum_sum().to_list()
    spans = map(slice, [0, *ends[:-1]], ends)
    return dict(zip(counts["site_id"].to_list(), spans, strict=True))


def folds_of(job: Job, sites: Sequence[str]) -> dict[str, int]:
    """The fold of each of these sites that has one; none where a finished run is applied."""
    run = RunFolder(job.run)
    if job.fitted is not None or not run.folds.is_file():
        return {}
    frame = rows_of_sites(run.folds, FOLDS, sites).filter(pl.col("fold").is_not_null())
    return dict(frame.select("site_id", "fold").iter_rows())
