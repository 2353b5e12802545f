"""Which sites teach: labelled ones, and those without a label that were given some."""

import polars as pl

from cellwise.domain.tables import LABELS, TREATMENTS
from cellwise.domain.units import WELL, places
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import column_names, read_table

# The fold that who gave a pseudo-label has left out; null for labels of people, and where unknown.
TEACHERS = "teachers_left_out"


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


def with_pseudo_labels(run: RunFolder, labelled: pl.DataFrame, step: str) -> pl.DataFrame:
    """The labelled sites and those of new wells that an assign step gave pseudo-labels.

    What is known of the treatments of wells that are kept to be judged on is never looked at. The
    column `TEACHERS` says which fold the answers were found without.

    Raises:
        PreflightError: The step gave none.
        FormatError: Its table was written before it said who answered.
    """
    path = run.treatments(step)
    if "pseudo_fold" not in column_names(path, TREATMENTS):
        raise FormatError(
            f"{path.name} was written by an older cellwise, which did not say which models gave "
            "its pseudo-labels. Name the assign step otherwise, so that it runs again."
        )
    given = read_table(path, TREATMENTS, columns=[WELL, "pseudo_label", "pseudo_fold"])
    given = given.filter(pl.col("pseudo_label").is_not_null())
    sites = RunReader(run).sites().filter(pl.col("status") == "ok")
    sites = sites.with_columns(places(sites)[WELL]).join(given, on=WELL, how="inner").drop(WELL)
    sites = sites.join(RunReader(run).labelled_sites(), on="site_id", how="anti")
    sites = sites.join(_silent(run), on="site_id", how="anti")
    if sites.is_empty():
        raise PreflightError(
            f"train: {path.name} holds no pseudo-label to learn from. Give the share of wells that "
            f"is to be labelled: --set {step}.pseudo_labels=0.4."
        )
    sites = sites.join(RunReader(run).folds(), on="site_id", how="left").with_columns(
        pl.concat_list("pseudo_label").alias("labels"),
        pl.col("fold").cast(labelled.schema["fold"]),
        pl.coalesce("group", "site_id").alias("group"),
        pl.col("pseudo_fold").alias(TEACHERS),
    )
    own = labelled.with_columns(pl.lit(None, pl.Int32).alias(TEACHERS), free=pl.lit(value=False))
    sites = sites.with_columns(free=pl.lit(value=True)).select(own.columns)
    return pl.concat([own, sites]).sort("site_id")


def check_teachers(sites: pl.DataFrame, fold: int | None, step: str) -> None:
    """Refuse pseudo-labels that a model without this fold may not learn from.

    Who answered the new wells has learned from the fold otherwise, and its figures would be too
    good.

    Args:
        sites: Those of `with_pseudo_labels`.
        fold: That the model leaves out; None for none.
        step: The assign step.

    Raises:
        PreflightError: Says which folds to ask for.
    """
    taught = set(sites.filter("free")[TEACHERS].unique().to_list())
    if fold is not None and taught != {fold}:
        raise PreflightError(
            f"train: this model leaves fold {fold} out, and the pseudo-labels of {step!r} come "
            f"from models that have learned from it. Train and score one fold at a time: give "
            f"'folds: [{fold}]' to the train step that {step!r} goes back to, and to this one."
        )
