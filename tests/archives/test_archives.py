"""Run folders of old versions open for ever.

`format-1` was written by cellwise 0.1.0 from a plate of eight drawn wells (`tests/plates.py`),
without the report and the temporary folder.
"""

import dataclasses
import importlib
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.faults.fault_runs import Heard, left_on_disk
from tests.plates import treated, write_labels, write_plate
from tests.worlds import wells

import cellwise
from cellwise.domain import tables
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import fitted_request, make_request
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import read_model
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_classes, read_table

ARCHIVES = sorted(p for p in Path(__file__).parent.iterdir() if (p / "run.json").is_file())


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name)
def archive(request, tmp_path):
    shutil.copytree(request.param, tmp_path / "run")
    return tmp_path / "run"


def test_there_is_an_archive_of_every_format():
    assert {path.name for path in ARCHIVES} == {f"format-{n}" for n in range(1, tables.FORMAT + 1)}


def test_tables_of_an_old_run_are_read(archive):
    run = cellwise.open_run(archive)
    assert run.cells.height == 72
    assert run.wells.height == 8
    assert np.isfinite(run.metrics["well_macro_ap"]["value"])
    folder = RunFolder(archive)
    for path, kind in (
        (folder.sites, tables.SITES),
        (folder.pixels, tables.PIXELS),
        (folder.folds, tables.FOLDS),
        (folder.cells, tables.CELLS),
        (folder.scores("cell"), tables.SCORES),
        (folder.labels("inherited"), tables.LABELS),
    ):
        assert read_table(path, kind).height > 0


def test_an_old_run_is_read_by_its_units(archive):
    reader = RunReader(RunFolder(archive))
    sites = reader.sites()
    assert len(sites) == 8
    assert len(reader.files()) == 2 * len(sites)
    assert len(reader.labelled_sites()) > 0
    units = dict(reader.units().group_by("unit").len().iter_rows())
    assert units["cell"] == 72
    assert (units["site"], units["well"]) == (8, 8)
    held = reader.folds().filter(pl.col("fold").is_not_null())["site_id"]
    clean = reader.out_of_fold("cell", read_classes(archive / "scores/cell.parquet", tables.SCORES))
    assert set(clean["site_id"]) == set(held), "every field with a fold was scored by its model"


def test_the_report_of_an_old_run_is_built_anew(archive):
    report = cellwise.open_run(archive).rebuild_report()
    assert "Nuclear" in report.read_text()


def test_models_of_an_old_run_are_loaded(archive):
    for folder in sorted((archive / "models" / "cell").iterdir()):
        read_model(folder)


def test_an_old_run_can_be_applied(archive, tmp_path):
    (tmp_path / "images").mkdir()
    request = fitted_request(archive, tmp_path / "images", tmp_path / "new")
    assert [step.kind for step in request.recipe.steps][:3] == ["read", "segment", "cells"]


@pytest.fixture
def images(archive, tmp_path):
    """The images that the archive was made from, as old as they were."""
    write_plate(tmp_path / "images", wells(8), nuclear=treated)
    sites = read_table(archive / "sites.parquet", tables.SITES)
    for (path,), size, stamp in sites.select("paths", "size", "mtime_ns").iter_rows():
        image = tmp_path / "images" / path
        assert image.stat().st_size == size
        os.utime(image, ns=(stamp, stamp))
    return tmp_path / "images"


def resumed(images, archive):
    heard = Heard()
    run_pipeline(make_request(images, archive, workers=1), heard)
    return heard


def test_an_old_run_resumes_and_no_step_is_redone(archive, images, monkeypatch):
    # These steps changed since, so that they and what follows would be done again: leave that out.
    for kind in ("read", "segment", "decide", "evaluate"):
        spec = importlib.import_module(f"cellwise.stages.{kind}.spec")
        monkeypatch.setattr(spec, "SPEC", dataclasses.replace(spec.SPEC, version=1))
    before = left_on_disk(archive)
    heard = resumed(images, archive)
    # What the archive was stored without is made again, and nothing else: the report, and the
    # predictions of the control, which `evaluate` reads.
    assert heard.why["decide control"] == "its result was missing"
    assert set(heard.total) == {"decide control", "evaluate", "report"}
    assert heard.before_work == []
    assert {"segment", "cells", "train cell", "score cell", "score control"} <= set(heard.reused)
    now = left_on_disk(archive)
    changed = {name for name in before if now[name] != before[name]}
    assert changed <= {"decisions/control.json", "metrics.json"}
    again = resumed(images, archive)
    assert (again.total, len(again.reused)) == ({}, 13)


@pytest.mark.long
def test_a_raised_version_is_said_of_an_old_run(archive, images, tmp_path, monkeypatch):
    # The step that reads is one of them, and wants the labels where they were.
    write_labels(tmp_path / "labels.csv", wells(8), unlabelled=("A08",))
    monkeypatch.chdir(tmp_path)
    heard = resumed(images, archive)
    assert heard.before_work[0].startswith("segment is done again: cellwise does it differently")
    assert heard.total["segment"] == 8
    assert heard.why["read"]
