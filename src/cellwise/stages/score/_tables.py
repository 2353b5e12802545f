"""Where the cells of sites stand, which fold each site was left out in, and vectors of cells."""

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from cellwise.domain.specs import names_of
from cellwise.domain.steps import Job
from cellwise.domain.tables import FOLDS, SITES
from cellwise.stages.score.spec import Options
from cellwise.store.run.embeddings import Embeddings, index_path
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.joined import Joined, open_embeddings
from cellwise.store.run.tables import column_names, rows_of_sites


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


def values_of(run: RunFolder, column: str, sites: Sequence[str]) -> dict[str, str]:
    """The value of each of these sites in a column by which models are made; none without one."""
    if not column or column not in column_names(run.sites, SITES):
        return {}
    frame = rows_of_sites(run.sites, SITES, sites)
    return dict(frame.select("site_id", pl.col(column).cast(pl.String)).drop_nulls().rows())


def vectors_of(job: Job) -> Embeddings | Joined:
    """The vectors that are looked at, mapped once in each process."""
    run, names = RunFolder(job.run), names_of(Options.of(job.options).embeddings)
    paths = [index_path(run.embeddings(name)) for name in names]
    facts = [path.stat() for path in paths if path.is_file()]
    return _mapped(run, names, tuple((fact.st_ino, fact.st_mtime_ns) for fact in facts))


@lru_cache(maxsize=1)
def _mapped(
    run: RunFolder, names: tuple[str, ...], _stamps: tuple[tuple[int, int], ...]
) -> Embeddings | Joined:
    return open_embeddings(run, names)
