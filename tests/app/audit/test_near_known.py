"""Cells near those that people saw showing a class: ranked, written to a sheet, never twice."""

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.app.audit.runs import EACH, FIELDS, mask
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.app.near_known import _plain, find_near
from cellwise.domain.records import Masks
from cellwise.domain.tables import CANDIDATES, EMBEDDINGS
from cellwise.errors import PreflightError, UsageError
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.masks import write_masks
from cellwise.store.run.tables import read_table, write_table


@pytest.fixture
def mined(audited):
    """The run with vectors in which cells that show `b` lie apart, and eight known ones."""
    run, truth, _, shown = audited
    folder, frames = run.embeddings("seen"), []
    random = np.random.default_rng(1)
    for number, site in enumerate(FIELDS):
        own = shown[number * EACH : (number + 1) * EACH, 1]
        vectors = random.normal(0, 1, (EACH, 6)) + 6.0 * own[:, None] * np.eye(6)[0]
        shard = write_vectors(folder, site, vectors.astype(np.float32), dtype="float32")
        frames.append(_index(site, shard))
    index = pl.concat(frames)
    write_table(index_path(folder), EMBEDDINGS, index)
    seal(folder, index, "float32", {"unit": "cell"})
    showing = [row for row in truth if "b" in truth[row].split("|") and row[0] != "u"]
    return run, showing


def _index(site, shard):
    rows = {
        "unit": ["cell"] * EACH, "site_id": [site] * EACH, "cell_id": range(1, EACH + 1),
        "shard": [shard] * EACH, "row": range(EACH), "length": [6] * EACH,
        "fold": [None] * EACH, "model": ["m"] * EACH,
    }  # fmt: skip
    kinds = dict.fromkeys(("cell_id", "row", "length", "fold"), pl.Int32)
    return pl.DataFrame(rows, schema_overrides=kinds)


def _judge(run, cells, verdict="yes", name="verdicts.csv", who="ann"):
    path = run.path / name
    lines = [f"{site},{cell},b,{verdict},{who}" for site, cell in cells]
    path.write_text("\n".join(["site_id,cell_id,class,verdict,who", *lines]), encoding="utf-8")
    assert CliRunner().invoke(app, ["audit", str(run.path), "--verdicts", str(path)]).exit_code == 0


def _listed(path):
    with Path(path).open(encoding="utf-8") as sheet:
        return [(row["site_id"], int(row["cell_id"])) for row in csv.DictReader(sheet)]


@pytest.mark.slow
def test_what_is_near_known_cells_is_listed_first_and_what_was_judged_is_not(mined):
    run, showing = mined
    known, refused = showing[:10], showing[10]
    _judge(run, known)
    _judge(run, [refused], "no", "more.csv")
    # People who contradict each other leave it open what a cell shows.
    _judge(run, [refused], "yes", "others.csv", "bob")
    found = find_near(run.path, "b", 15)
    listed = _listed(found["sheet"])
    assert (found["known"], found["listed"], len(listed)) == (10, 15, 15)
    assert np.mean([cell in showing for cell in listed]) > 0.9
    assert not set(listed) & {*known, refused}
    table = read_table(run.annotations / "near-b.candidates.parquet", CANDIDATES)
    assert list(zip(table["site_id"], table["cell_id"], strict=True)) == listed
    assert table["known_near"].is_sorted(descending=True)
    assert table["known_near"].min() >= 3


def test_a_second_search_leaves_the_sheet_that_a_person_fills(mined):
    run, showing = mined
    _judge(run, showing[:8])
    first = find_near(run.path, "b", 5)["sheet"]
    _judge(run, _listed(first), name="first.csv")
    second = find_near(run.path, "b", 5)
    assert second["sheet"] != first
    assert not set(_listed(first)) & set(_listed(second["sheet"]))


def test_verdicts_follow_their_outlines_where_a_field_was_segmented_anew(mined):
    run, showing = mined
    _judge(run, showing[:8])
    before = find_near(run.path, "b", 40)
    site = showing[0][0]
    labels = mask()
    write_masks(run.masks, site, Masks(np.where(labels, labels + 1, 0).astype(np.uint16), labels))
    after = find_near(run.path, "b", 40)
    own = [cell for known, cell in showing[:8] if known == site]
    assert {(site, cell + 1) for cell in own} & set(_listed(after["sheet"])) == set()
    gone = sum(cell == EACH for cell in own)
    assert (before["known"], after["known"]) == (8, 8 - gone)


def test_classes_that_differ_in_signs_or_capitals_have_files_of_their_own():
    classes = ("ER+", "ER-", "er", "Golgi", "Mitotic spindle", "+", "?!")
    parts = [_plain(name, classes) for name in classes]
    assert len({part.lower() for part in parts}) == len(classes)
    assert parts[3:5] == ["golgi", "mitotic-spindle"]
    assert all(part.replace("-", "").isalnum() for part in parts)


def test_the_command_says_what_it_found_and_how_to_go_on(mined):
    run, showing = mined
    _judge(run, showing[:8])
    said = CliRunner().invoke(app, ["audit", str(run.path), "--near", "b", "--count", "3"])
    assert said.exit_code == 0
    assert "8 cells are known to show b" in said.output
    assert "with the first 3" in said.output
    data = CliRunner().invoke(app, ["audit", str(run.path), "--near", "b", "--json"])
    assert set(json.loads(data.output)) == {"known", "candidates", "listed", "sheet"}


def test_what_cannot_be_found_is_refused_with_the_cure(mined):
    run, showing = mined
    with pytest.raises(PreflightError, match="0 cells are known"):
        find_near(run.path, "b", 5)
    _judge(run, showing[:2])
    with pytest.raises(PreflightError, match=r"2 cells are known .* Judge some first"):
        find_near(run.path, "b", 5)
    with pytest.raises(UsageError, match="no class 'B'"):
        find_near(run.path, "B", 5)
    with pytest.raises(UsageError, match=r"no embeddings 'sean'.*seen"):
        find_near(run.path, "b", 5, embeddings="sean")
    index_path(run.embeddings("seen")).unlink()
    with pytest.raises(UsageError, match="features-quick"):
        find_near(run.path, "b", 5)
