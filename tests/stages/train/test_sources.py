"""From tables to items: what the cells of a bag may have in common."""

import numpy as np
import polars as pl
import pytest
from tests.stages.train.learn_world import label_of, make_job, make_run

from cellwise.contracts.batch import When
from cellwise.domain.tables import SITES
from cellwise.parts.tasks import tasks
from cellwise.stages.train._sources import Choice, collect
from cellwise.store.run.tables import read_table, write_table

SITES_IN_ALL = 12


@pytest.fixture
def run(tmp_path):
    """Twelve fields of two folds; two wells of plate P, and the last field in none."""
    run = make_run(tmp_path, sites=SITES_IN_ALL, folds=2)
    frame = read_table(run.sites, SITES)
    number = pl.col("site_id").str.slice(1).cast(pl.Int32)
    well = pl.when(number % 6 < 4).then(pl.lit("A01")).when(number < 11).then(pl.lit("A02"))
    frame = frame.with_columns(well.alias("Metadata_Well"), pl.lit("P").alias("Metadata_Plate"))
    write_table(run.sites, SITES, frame)
    return run


def collected(run, task):
    job = make_job(run)
    return collect(job, tasks.build(task), labels="", choice=Choice("all", ()))


def expected(level):
    """Which fields share a group, by hand: unit, fold and label agree."""

    def key(n):
        unit = {"plate": "P", "well": None if n == 11 else n % 6 < 4, "experiment": None}[level]
        return (unit if unit is not None else f"field {n}", n // 3 % 2, label_of(n))

    return np.array([[key(a) == key(b) for b in range(SITES_IN_ALL)] for a in range(SITES_IN_ALL)])


@pytest.mark.parametrize("level", ["well", "plate", "experiment"])
def test_fields_share_a_group_where_unit_fold_and_labels_agree(run, level):
    found = collected(run, {"name": "image", "size": 16}).material.pool
    group = found.of(level)
    assert np.array_equal(group[:, None] == group[None], expected(level))
    assert expected("plate").sum() > expected("well").sum() > SITES_IN_ALL


def test_a_bag_of_a_well_holds_cells_of_several_fields_of_one_label(run):
    found = collected(run, {"name": "bag", "cells": 16, "level": "well"})
    task = tasks.build({"name": "bag", "cells": 16, "level": "well"})
    material = found.material.part(found.fold[found.material.pool.site] == 0)
    bags = np.concatenate(task.sampler(material.pool, 4, When(0, 0)))
    sites = material.pool.site[bags]
    assert (sites != sites[:, :1]).any(), "more than one field in a bag"
    assert (found.fold[sites] == 0).all()
    assert (material.fields[bags] == material.fields[bags[:, :1]]).all()
