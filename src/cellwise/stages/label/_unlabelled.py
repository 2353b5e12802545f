"""Fields without a label, for labellers that give labels to their cells too."""

import numpy as np
import polars as pl

from cellwise.contracts.labeller import Bags, Flags


def with_unlabelled(
    labelled: pl.DataFrame, sites: pl.DataFrame, *, test_part: bool
) -> pl.DataFrame:
    """The labelled sites and, with an empty list of labels, those without; sorted by `site_id`.

    Args:
        labelled: The sites that are learned from.
        sites: All sites of the run.
        test_part: Whether usable fields of the test part are taken too. What is known of these is
            left out.
    """
    free = sites.filter(pl.col("status") == "ok").join(labelled, on="site_id", how="anti")
    if not test_part:
        free = free.filter(pl.col("part") != "test")
    nothing = pl.lit([], pl.List(pl.String)).alias("labels")
    return pl.concat([labelled, free.with_columns(nothing)]).sort("site_id")


def labelled_bags(bags: Bags, sites: pl.DataFrame, cells: pl.DataFrame) -> Flags:
    """`[site]` of the bags: whether their fields have a label."""
    known = dict(
        zip(sites["site_id"].to_list(), (sites["labels"].list.len() > 0).to_list(), strict=True)
    )
    result = np.zeros(len(bags.field_labels), bool)
    result[bags.site] = [known[site] for site in cells["site_id"].to_list()]
    return result
