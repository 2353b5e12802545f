"""From tables to items: what the cells of a bag may have in common."""

import numpy as np
import polars as pl
import pytest
from tests.stages.train.learn_world import label_of, make_job, make_run, write_folds, write_labels

from cellwise.contracts.batch import When
from cellwise.domain.tables import FOLDS, SITES
from cellwise.errors import BadOption
from cellwise.parts.tasks import tasks
from cellwise.stages.train._plan import validation_sites
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


def _with_unlabelled(tmp_path, task="cell", *, unlabelled=True, folds=None):
    """Six labelled fields and two without a label, of which the labels name the first."""
    run = make_run(tmp_path, sites=6, folds=2, unlabelled=2)
    if folds:
        known = dict(read_table(run.folds, FOLDS).select("site_id", "fold").iter_rows())
        write_folds(run, {**known, **folds})
    write_labels(run, {**{f"s{n:02d}": label_of(n) for n in range(6)}, "s06": "ring"})
    return collect(
        make_job(run), tasks.build(task), labels="label", choice=Choice("all", ()),
        unlabelled=unlabelled,
    )  # fmt: skip


def test_cells_of_unlabelled_fields_teach_where_labels_name_them_and_it_is_asked(tmp_path):
    found = _with_unlabelled(tmp_path)
    assert found.sites == ("s00", "s01", "s02", "s03", "s04", "s05", "s06")
    assert found.fold.tolist()[-1] == -1
    assert found.free.tolist() == [False] * 6 + [True]
    own = found.material.pool.site == 6
    assert own.sum() == 4
    assert found.material.targets[own].tolist() == [[1, 0]] * 4
    # A loss that asks for the field's labels is told what its cells were given.
    assert found.material.fields[own].tolist() == [[1, 0]] * 4
    assert found.material.labelled().all()
    assert found.material.read(np.flatnonzero(own)).max() > 0


def test_an_unlabelled_field_of_a_labelled_group_is_left_out_with_it(tmp_path):
    found = _with_unlabelled(tmp_path, folds={"s06": 1})
    assert found.fold.tolist()[-1] == 1
    assert found.folds() == [0, 1]


def test_unlabelled_fields_judge_no_epoch(tmp_path):
    found = _with_unlabelled(tmp_path)
    for seed in range(8):
        aside = validation_sites(found, 0, 0.9, seed)
        assert aside.any()
        assert not aside[6]


def test_without_being_asked_they_teach_nothing_and_fields_are_never_taught_so(tmp_path):
    found = _with_unlabelled(tmp_path, unlabelled=False)
    assert "s06" not in found.sites
    with pytest.raises(BadOption, match="tasks that learn labels of cells"):
        _with_unlabelled(tmp_path / "other", {"name": "bag", "cells": 4})
