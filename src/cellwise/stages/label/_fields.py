"""Fields without a label, which some labellers give labels to; and fields that are silent.

Fields that a step `curate` keeps from teaching teach no labeller that learns either: a copy would
count twice, under whatever label it has, and dark negatives would say that dark is negative. Their
cells keep the labels of their field.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from cellwise.contracts.labeller import NOT_TEACHING, Bags, CellLabels, Flags, Labeller
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader


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


def silent_cells(run: RunFolder, cells: pl.DataFrame) -> Flags | None:
    """`[cell]`: whether its field does not teach; None where all do."""
    fields = RunReader(run).curation().filter(~pl.col("teaches"))["site_id"]
    silent = cells["site_id"].is_in(fields.implode()).to_numpy()
    return silent if silent.any() else None


def of_teaching_fields(labeller: Labeller) -> Labeller:
    """The same labeller, of cells of fields that teach; others inherit and weigh 1."""

    def heeding(bags: Bags) -> CellLabels:
        if bags.silent is None or not bags.silent.any():
            return labeller(bags)
        rows = np.flatnonzero(~bags.silent)
        some = bags.of_cells(~bags.silent)
        # Fields that lose all of their cells count nowhere; those without cells stay as they were.
        gone = np.isin(np.arange(len(bags.field_labels)), bags.site[bags.silent])
        gone[some.site] = False
        found = labeller(some.of_fields(~gone))
        label, weight = bags.inherited, np.ones(len(bags.site), np.float32)
        reason = np.full(len(bags.site), NOT_TEACHING, object)
        label[rows], weight[rows], reason[rows] = found.label, found.weight, found.reason
        listed = found.candidates
        if listed is not None:
            listed = replace(listed, cell=rows[listed.cell])
        return CellLabels(label, weight, tuple(reason.tolist()), found.facts, listed)

    return heeding
