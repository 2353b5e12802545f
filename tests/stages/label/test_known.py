"""Labels from the truth: matched by number or overlap, for all or some classes and cells."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cellwise.contracts.labeller import Bags
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, LABELS, SITES
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.label import known
from cellwise.stages.label.spec import Options
from cellwise.stages.label.step import work
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table
from cellwise.store.worlds.truth import write_truth_cells, write_truth_masks, write_world

NAN = float("nan")


def _bags(truth, *, field=(1, 1), seed=0):
    n = len(truth)
    flags = np.zeros(n, bool)
    return Bags(
        np.zeros(n, np.int64), np.array([field], bool), None, flags, flags,
        None, np.array(truth, np.float32), ("a", "b"), seed,
    )  # fmt: skip


def test_cells_take_what_they_show_and_unknown_cells_weigh_nothing():
    found = known.build()(_bags([[1, 0], [0, 0], [NAN, NAN]]))
    assert found.label[:2].tolist() == [[1, 0], [0, 0]]
    assert found.weight.tolist() == [1, 1, 0]
    assert found.reason == ("known", "known", "unknown")


def test_the_truth_may_decide_some_classes_and_the_field_the_others():
    found = known.build(classes=["b"])(_bags([[0, 1], [1, 0]], field=(1, 0)))
    assert found.label.tolist() == [[1, 1], [1, 0]]


def test_a_class_that_does_not_exist_is_refused():
    bags = replace(_bags([[1, 0]]), classes=("alpha", "b"))
    with pytest.raises(BadOption, match="Did you mean 'alpha'"):
        known.build(classes=["alpa"])(bags)


def test_a_sample_is_relabelled_and_the_rest_inherits():
    truth = [[0, 0]] * 50 + [[NAN, NAN]]
    found = known.build(cells=10)(_bags(truth))
    relabelled = found.label.sum(1) == 0
    assert relabelled.sum() == 10
    assert found.weight.tolist() == [1] * 51
    assert found.reason.count("known") == 10
    larger = known.build(cells=20)(_bags(truth)).label.sum(1) == 0
    assert (larger | ~relabelled).all()
    other = known.build(cells=10)(_bags(truth, seed=1)).label.sum(1) == 0
    assert (other != relabelled).any()


def test_a_sample_larger_than_what_is_known_takes_all_of_it():
    assert known.build(cells=10)(_bags([[0, 1], [NAN, NAN]])).reason == ("known", "inherited")


@pytest.fixture
def run(tmp_path):
    """Fields `same` and `moved` with the labels a and b; cell 1 lies left, cell 2 right."""
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    names = ("moved", "same")
    sites = [Site(name, name, file, "train", ("a", "b")) for name in names]
    run = RunFolder(tmp_path / "run")
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    run.reading.write_text(json.dumps({"classes": {"names": ["a", "b"], "negative": None}}))
    zeros = {name: [0] * 4 for name in ("y0", "x0", "y1", "x1", "x", "y", "area")}
    cells = pl.DataFrame(
        {"site_id": [n for n in names for _ in (1, 2)], "cell_id": [1, 2, 1, 2], **zeros,
         "border": [False] * 4, "flags": [[]] * 4},
        schema_overrides={"flags": pl.List(pl.String)},
    )  # fmt: skip
    write_table(run.cells, CELLS, cells)
    labels = np.zeros((8, 12), np.uint16)
    labels[2:6, 1:5], labels[2:6, 7:11] = 1, 2
    for name in names:
        write_masks(run.masks, name, Masks(labels, labels))
    truth = tmp_path / "world" / "truth"
    write_truth_masks(truth, "same", Masks(labels, labels))
    swapped = np.where(labels > 0, 3 - labels, 0).astype(np.uint16)
    # The right one overlaps by a third only: no match.
    swapped[swapped == 1] = 0
    swapped[2:6, 9:] = 1
    write_truth_masks(truth, "moved", Masks(swapped, swapped))
    rows = [("same", 1, "a", 0), ("same", 2, "", 1), ("moved", 1, "a", 0), ("moved", 2, "b|new", 0)]
    frame = pl.DataFrame(rows, schema=["site_id", "cell_id", "classes", "ignored"], orient="row")
    write_truth_cells(truth, frame)
    return run


def _work(run, **options):
    job = Job(run.path, run.path, "lap", {"by": "known", **options}, "key", seed=0)
    counts = work(job, lambda done, total, note: None)
    return counts, read_table(run.labels("lap"), LABELS)


def test_cells_are_matched_by_number_or_by_overlap_and_ignored_ones_left_out(run):
    counts, frame = _work(run, truth=str(run.path.parent / "world"))
    moved, same = frame["label"].to_list()[:2], frame["label"].to_list()[2:]
    assert moved[0] == [0, 1]
    assert same[0] == [1, 0]
    assert frame["weight"].to_list() == [1, 0, 1, 0]
    assert frame["reason"].to_list() == ["known", "unknown"] * 2
    assert counts == {"fields": 2, "cells": 4, "known": 2, "unknown": 2}


def test_in_a_made_world_cells_not_to_be_judged_are_known_too(run):
    write_world(run.path.parent / "world" / "truth", {"format": 1, "world": "hpa"})
    _, frame = _work(run, truth=str(run.path.parent / "world"))
    assert frame["weight"].to_list() == [1, 0, 1, 1], "moved 2 overlaps with no true cell"
    assert frame["label"].to_list()[3] == [0, 0]


def test_truth_of_other_images_is_refused(run, tmp_path):
    frame = pl.DataFrame({"site_id": ["x"], "cell_id": [1], "classes": ["a"], "ignored": [0]})
    write_truth_cells(tmp_path / "other", frame)
    with pytest.raises(PreflightError, match="none of this run's fields"):
        _work(run, truth=str(tmp_path / "other"))


def test_truth_without_cells_is_refused(run, tmp_path):
    write_truth_masks(tmp_path / "other", "x", Masks(np.ones((2, 2), int), np.ones((2, 2), int)))
    with pytest.raises(PreflightError, match=r"cells\.csv"):
        _work(run, truth=str(tmp_path / "other"))


def test_only_the_measuring_device_may_know_the_truth():
    with pytest.raises(BadOption, match="needs the truth"):
        Options.of({"by": "known"})
    with pytest.raises(BadOption, match="must not know"):
        Options.of({"by": "inherit", "truth": "world"})
    with pytest.raises(BadOption, match="not negative"):
        known.build(cells=-1)
