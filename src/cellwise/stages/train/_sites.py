"""Which sites teach: labelled ones, and those without a label whose cells were given some."""

import polars as pl

from cellwise.domain.tables import LABELS
from cellwise.errors import BadOption
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table


def labelled_sites(run: RunFolder) -> pl.DataFrame:
    """The labelled sites that teach, with `fold` and `group`; of those with a fold, if any has."""
    frame = RunReader(run).labelled_sites().join(_silent(run), on="site_id", how="anti")
    if not run.folds.is_file():
        nothing = pl.lit(None, pl.Int32).alias("fold")
        return frame.with_columns(nothing, pl.col("site_id").alias("group"))
    folds = RunReader(run).folds()
    if folds["fold"].null_count() < len(folds):
        # A labelled field without a fold was found unusable when the folds were made.
        folds = folds.filter(pl.col("fold").is_not_null())
    joined = frame.join(folds, on="site_id", how="inner").sort("site_id")
    return joined.with_columns(pl.coalesce("group", "site_id").alias("group"))


def _silent(run: RunFolder) -> pl.DataFrame:
    """The sites that a step `curate` keeps from teaching."""
    return RunReader(run).curation().filter(~pl.col("teaches"))


def with_unlabelled(
    run: RunFolder, labelled: pl.DataFrame, labels: str, *, needed: bool
) -> pl.DataFrame:
    """The labelled sites and those without a label that a labels table gives labels to.

    Raises:
        BadOption: Labels of cells are not `needed`: the task learns those of fields.
    """
    if not needed:
        raise BadOption(
            "train: unlabelled is of tasks that learn labels of cells, such as 'cell' and "
            "'vectors'; a field without a label has none of its own."
        )
    given = read_table(run.labels(labels), LABELS, columns=["site_id", "weight"])
    free = RunReader(run).sites().join(given.filter(pl.col("weight") > 0), on="site_id", how="semi")
    free = free.join(RunReader(run).labelled_sites(), on="site_id", how="anti")
    free = free.join(_silent(run), on="site_id", how="anti")
    # Who shares a group with labelled sites is left out with these.
    free = free.join(RunReader(run).folds(), on="site_id", how="left").with_columns(
        pl.lit([], pl.List(pl.String)).alias("labels"),
        pl.col("fold").cast(labelled.schema["fold"]),
        pl.coalesce("group", "site_id").alias("group"),
    )
    return pl.concat([labelled, free.select(labelled.columns)]).sort("site_id")
