"""Verdicts of people in labels: only on the cells they were given to, whoever else labels."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellwise.contracts.labeller import CellLabels
from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, FOLDS, LABELS, SITES
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.label._by_hand import judged, with_verdicts
from cellwise.stages.label.spec import Options
from cellwise.stages.label.step import work
from cellwise.store.annotations.draws import write_draw
from cellwise.store.annotations.saves import annotations
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_key, write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table

FIELDS = {"p": ("a",), "q": ("a", "b"), "u": None}
BEFORE = np.zeros((6, 16), np.uint16)
BEFORE[1:5, 1:5], BEFORE[1:5, 7:11], BEFORE[1:5, 12:16] = 1, 2, 3


def _segment(run, labels):
    """Masks and the table of cells of every field."""
    numbers = [int(n) for n in np.unique(labels[labels > 0])]
    for site in FIELDS:
        write_masks(run.masks, site, Masks(labels, labels))
    rows = [(site, n) for site in FIELDS for n in numbers]
    plain = {name: [0] * len(rows) for name in ("y0", "x0", "y1", "x1", "x", "y", "area")}
    cells = pl.DataFrame(
        {"site_id": [r[0] for r in rows], "cell_id": [r[1] for r in rows], **plain},
    ).with_columns(
        (pl.col("cell_id") == 3).alias("border"), pl.lit([], pl.List(pl.String)).alias("flags")
    )
    write_table(run.cells, CELLS, cells)


@pytest.fixture
def run(tmp_path):
    """Fields p (a), q (a and b) and u (no label), three cells each; the third is at the edge."""
    run = RunFolder(tmp_path / "run")
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    sites = [Site(i, i, file, "train", labels) for i, labels in FIELDS.items()]
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    reading = {"classes": {"names": ["a", "b", "none"], "negative": "none"}}
    run.reading.write_text(json.dumps(reading))
    folds = pl.DataFrame({"site_id": ["p", "q"], "fold": [0, 1], "group": ["p", "q"]})
    write_table(run.folds, FOLDS, folds)
    _segment(run, BEFORE)
    return run


def _work(run, text, **options):
    """The counts, and `(label, weight, reason)` by cell."""
    path = run.path.parent / "verdicts.csv"
    path.write_text(text)
    options = {"annotations": str(path), **options}
    counts = work(Job(run.path, run.path, "lap", options, "key", seed=0), lambda *_: None)
    frame = read_table(run.labels("lap"), LABELS)
    cells = frame["site_id", "cell_id", "label", "weight", "reason"].rows()
    return counts, {(site, cell): rest for site, cell, *rest in cells}


HEAD = "site_id,cell_id,class,verdict,who\n"


def test_verdicts_stand_in_place_of_what_cells_inherit(run):
    counts, found = _work(
        run, HEAD + "p,1,a,no,ann\np,2,b,yes,ann\nq,3,a,unsure,ann\nu,1,a,yes,ann\n"
    )
    assert found["p", 1] == [[0, 0], 1, "by_hand"]
    # A person saw what the field's label does not name; of the rest nothing was said.
    assert found["p", 2] == [[1, 1], 1, "by_hand"]
    assert found["q", 3] == [[1, 1], 1, "inherited"]
    assert counts["by_hand"] == 2
    assert counts["verdicts"] == 4
    assert counts["unsure"] == 1
    assert counts["verdicts_of_cells_without_field_label"] == 1
    assert counts["cells_not_found"] == 0


def test_judged_cells_have_a_weight_of_their_own(run):
    by = {"name": "inherit", "border": 0.25}
    text = HEAD + "p,3,a,yes,ann\n"
    assert _work(run, text, by=by)[1]["p", 3][1] == 1
    found = _work(run, text, by=by, judged_weight=5)[1]
    assert [found["p", cell][1] for cell in (1, 2, 3)] == [1, 1, 5]
    assert found["q", 3][1] == 0.25


def test_people_who_contradict_each_other_change_nothing_and_are_named(run):
    text = HEAD + "p,1,a,no,ann\np,1,a,yes,bob\np,2,a,no,ann\np,2,a,yes,ann\np,3,a,no,ann\n"
    counts, found = _work(run, text)
    assert [found["p", cell][0] for cell in (1, 2, 3)] == [[1, 0], [1, 0], [0, 0]]
    assert counts["contradicted"] == 2
    assert counts["contradicted_cells"] == ["p/1: a", "p/2: a"]


def test_cells_that_are_not_there_are_counted_and_named(run):
    text = "site_id,cell_id,x,y,class,verdict\np,9,,,a,no\nzz,1,,,a,no\np,,0,0,a,no\np,,2,2,a,no\n"
    counts, found = _work(run, text)
    assert found["p", 1][0] == [0, 0]
    assert counts["cells_not_found"] == 3
    assert counts["cells_not_found_named"] == ["p/0", "p/9", "zz/1"]
    with pytest.raises(PreflightError, match="none of its cells is one of this run's"):
        _work(run, HEAD + "zz,1,a,no,ann\n")


def test_what_was_imported_is_kept_with_outlines(run):
    _work(run, "site_id,x,y,classes,drawn,who,when\np,2.4,2,b,random,ann,2026-11-01\n")
    kept = annotations(run)
    assert kept["cell_id", "class", "verdict", "drawn", "who", "when"].rows() == [
        (1, "a", "no", "random", "ann", "2026-11-01"),
        (1, "b", "yes", "random", "ann", "2026-11-01"),
    ]
    assert kept["outline"][0].to_list() == [n for y in range(1, 5) for n in (y, 1, 4)]
    assert kept["x", "y"].row(0) == (2.5, 2.5)
    assert set(kept["mask_key"]) == {mask_key(run.masks, "p")}


def test_after_another_segmentation_verdicts_follow_outlines_and_never_numbers(run):
    text = HEAD + "p,1,a,no,ann\np,2,a,no,ann\np,3,a,no,ann\n"
    _work(run, text)
    now = np.zeros_like(BEFORE)
    # What was 1 is 3; what was 2 and 3 is one cell with the number 1.
    now[1:5, 1:5], now[1:5, 7:16] = 3, 1
    _segment(run, now)
    kept = str(run.annotations / "annotations.parquet")
    for options in ({}, {"annotations": kept}):
        counts, found = _work(run, text, **options)
        assert found["p", 3] == [[0, 0], 1, "by_hand"]
        assert found["p", 1] == [[1, 0], 1, "inherited"]
        assert counts["verdicts_by_outline"] == 1
        assert counts["cells_not_found_named"] == ["p/2", "p/3"]
    # Other numbers of a field that was segmented again may mean other cells.
    with pytest.raises(PreflightError, match=f"segmented again.*{mask_key(run.masks, 'p')}"):
        _work(run, HEAD + "p,1,b,yes,ann\n")
    point = "site_id,x,y,class,verdict\np,8,2,b,yes\n"
    assert _work(run, point)[1]["p", 1][0] == [1, 1]
    assert _work(run, HEAD + "q,1,b,no,ann\n")[1]["q", 1][0] == [1, 0]


def test_a_key_of_other_masks_is_refused(run):
    with pytest.raises(PreflightError, match="segmented again"):
        _work(run, "site_id,cell_id,mask_key,class,verdict\np,1,0123,a,no\n")


def test_doing_it_again_gives_the_same(run):
    text = HEAD + "p,1,a,no,ann\np,9,a,no,ann\n"
    first, second = _work(run, text), _work(run, text)
    assert first == second
    assert len(list(run.annotations.glob("save-*"))) == 1


def _drawn(run, cells, there):
    """A draw of some cells, numbered strata, and its sheet filled: each shows class a alone."""
    rows = pl.DataFrame(cells, ["site_id", "cell_id", "stratum"], orient="row")
    # A point of each cell, for a number beside a point elsewhere is refused.
    points = [np.argwhere(cell == BEFORE)[0].astype(float) for cell in rows["cell_id"].to_list()]
    rows = rows.with_columns(
        pl.Series("y", [y for y, _ in points]), pl.Series("x", [x for _, x in points])
    )
    write_draw(run, rows.with_columns(pl.col("cell_id").cast(pl.Int32)), there, seed=0)
    sheet = run.annotations / "draw.csv"
    frame = pl.read_csv(sheet, schema_overrides={"classes": pl.String, "who": pl.String})
    frame.with_columns(pl.lit("a").alias("classes")).write_csv(sheet)
    return sheet


def _audited(run, sheet):
    """Weights of cells of p and q, and the counts."""
    cells = read_table(run.cells, CELLS, columns=["site_id", "cell_id"])
    cells = cells.filter(pl.col("site_id") != "u").sort("site_id", "cell_id")
    found = judged(run, sheet, cells, ClassList(("a", "b", "none"), "none"))
    weight, told = found.audited, found.told
    return None if weight is None else weight.tolist(), told


def test_judged_cells_of_a_draw_stand_for_their_stratum(run):
    sheet = _drawn(run, [("p", 1, 0), ("q", 2, 0), ("q", 3, 1)], [4, 2])
    weight, told = _audited(run, sheet)
    assert weight == [2, 0, 0, 0, 2, 2]
    assert told["cells_of_the_random_draw"] == 3
    assert "random_draw_tells_nothing_because" not in told
    # A cell of the draw that a person was not sure about counts as if chance had left it out.
    text = sheet.read_text().splitlines()
    text[1] = text[1].replace(",a,", ",?,")
    sheet.write_text("\n".join(text))
    run.annotations.joinpath("annotations.parquet").unlink()
    for old in run.annotations.glob("save-*"):
        old.unlink()
    assert _audited(run, sheet)[0] == [0, 0, 0, 0, 4, 2]


def test_a_draw_that_does_not_stand_for_todays_cells_tells_nothing(run):
    sheet = _drawn(run, [("p", 1, 0), ("q", 3, 1)], [4, 2])
    alone = run.path.parent / "alone.csv"
    alone.write_text(sheet.read_text())
    assert "draw.json" in _audited(run, alone)[1]["random_draw_tells_nothing_because"]
    half = sheet.read_text().splitlines()
    kept = run.path.parent / "half"
    kept.mkdir()
    (kept / "draw.json").write_text((run.annotations / "draw.json").read_text())
    (kept / "draw.csv").write_text("\n".join(half[:2]) + "\n")
    (run.annotations / "annotations.parquet").unlink()
    for old in run.annotations.glob("save-*"):
        old.unlink()
    weight, told = _audited(run, kept / "draw.csv")
    assert weight is None
    assert "strata" in told["random_draw_tells_nothing_because"]
    record = json.loads((kept / "draw.json").read_text())
    (kept / "draw.json").write_text(json.dumps({**record, "cells": [40, 20]}))
    assert "60 cells" in _audited(run, kept / "draw.csv")[1]["random_draw_tells_nothing_because"]
    point = "site_id,x,y,class,verdict,drawn\np,2,2,a,yes,random\n"
    _segment(run, np.where(BEFORE == 3, 0, BEFORE).astype(np.uint16))
    (kept / "draw.csv").write_text(point)
    assert "masks" in _audited(run, kept / "draw.csv")[1]["random_draw_tells_nothing_because"]


VERDICTS = arrays(np.float32, (4, 2), elements=st.sampled_from([0, 1, np.nan]))
LABEL = arrays(np.float32, (4, 2), elements=st.floats(0, 1, width=32))


@given(VERDICTS, LABEL, st.sampled_from([0.0, 3.0]))
def test_labels_are_verdicts_where_there_are_and_folds_are_kept_apart(verdict, label, weight):
    own = np.array([True, False, False, False])
    without = np.where(own[:, None], np.nan, label)
    found = CellLabels(label, np.full(4, 0.5, np.float32), ("inherited",) * 4)
    put, apart = with_verdicts(found, {0: without}, verdict, weight)
    for cell in range(4):
        known = ~np.isnan(verdict[cell])
        assert put.label[cell, known].tolist() == verdict[cell, known].tolist()
        assert put.label[cell, ~known].tolist() == label[cell, ~known].tolist()
        assert put.weight[cell] == ((weight or 1) if known.any() else 0.5)
    assert np.isnan(apart[0][0]).all()
    assert (apart[0][1:] == put.label[1:]).all()


def test_a_weight_without_verdicts_is_refused():
    with pytest.raises(BadOption, match="judged_weight"):
        Options.of({"judged_weight": 2})


def test_what_chance_drew_may_be_kept_from_teaching(run):
    cells = read_table(run.cells, CELLS).filter(pl.col("site_id") != "u").sort("site_id", "cell_id")
    sheet = _drawn(run, [("p", 1, 0), ("q", 2, 0)], [6])
    rows = sheet.read_text().splitlines()
    heads = rows[0].split(",")
    place = heads.index("classes")
    for n, word in ((1, "none"), (2, "b")):
        parts = rows[n].split(",")
        parts[place] = word
        rows[n] = ",".join(parts)
    sheet.write_text("\n".join(rows) + "\n")
    picked = run.path.parent / "picked.csv"
    # One cell that a queue brought, and one that chance had drawn too.
    picked.write_text(HEAD + "p,2,a,no,bob\np,1,b,yes,bob\n")
    classes = ClassList(("a", "b", "none"), "none")
    for table in (sheet, picked):
        judged(run, table, cells, classes)
    every = run.annotations / "annotations.parquet"
    kept = judged(run, every, cells, classes, random_teaches=False)
    taught = np.argwhere(np.isfinite(kept.verdict)).tolist()
    assert taught == [[1, 0]]
    assert kept.told["by_hand"] == 1
    assert np.argwhere(np.isfinite(kept.audit)).tolist() == [[0, 0], [0, 1], [4, 0], [4, 1]]
    assert kept.audited.tolist() == [3, 0, 0, 0, 3, 0]
    usual = judged(run, every, cells, classes)
    assert usual.audit is None
    assert usual.audited.tolist() == kept.audited.tolist()
