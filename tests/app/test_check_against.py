"""A submission is held against the table that asks for it: ids, and the sizes of images."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.truths import write_run, write_submission

from cellwise.app.check_submission import check_submission
from cellwise.app.cli.terminal.checked import submission_screen
from cellwise.domain.tables import SITES
from cellwise.kernels.runs import encode_masks
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

HEADER = "ID,ImageWidth,ImageHeight,PredictionString"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("submissions")


def _check(folder, rows, asked, header=HEADER):
    lines = [HEADER]
    for name, width, height in rows:
        labels = np.zeros((height, width), np.uint8)
        labels[1:3, 1:4] = 1
        lines.append(f"{name},{width},{height},0 0.50000 {encode_masks(labels)[1]}")
    (folder / "own.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "sample.csv").write_text("\n".join([header, *asked]) + "\n", encoding="utf-8")
    return check_submission(folder / "own.csv", against=folder / "sample.csv")


SIDE = st.integers(5, 12)


@settings(max_examples=15)
@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=4))
def test_a_row_of_another_size_is_a_problem_and_no_other(folder, sides):
    rows = [(f"f{k}", w, h) for k, (w, h, _, _) in enumerate(sides)]
    asked = [f"f{k},{w},{h}.0,0 1 x" for k, (_, _, w, h) in enumerate(sides)]
    found = _check(folder, rows, asked)
    wrong = [f"f{k}" for k, (w, h, v, g) in enumerate(sides) if (w, h) != (v, g)]
    assert [p["id"] for p in found["problems"]] == wrong
    assert {p["code"] for p in found["problems"]} <= {"other_size"}
    assert found["exit_code"] == (4 if wrong else 0)


@pytest.mark.parametrize(
    ("header", "asked"), [("ID", ["f0"]), (HEADER, ["f0,,,"]), (HEADER, ["f0,wide,high,"])]
)
def test_a_table_without_sizes_asks_for_none(folder, header, asked):
    assert _check(folder, [("f0", 9, 7)], asked, header)["problems"] == []


def test_masks_that_overlap_are_said_and_refuse_nothing(folder):
    first, second = np.zeros((7, 9), np.uint8), np.zeros((7, 9), np.uint8)
    first[1:4, 1:5], second[3:6, 3:8] = 1, 1
    texts = [encode_masks(labels)[1] for labels in (first, second)]
    string = " ".join(f"{kind} 0.5 {text}" for kind in (0, 1) for text in texts)
    lines = [HEADER, f"f0,9,7,{string}", f"f1,9,7,0 0.5 {texts[0]} 1 0.5 {texts[0]}"]
    (folder / "both.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = check_submission(folder / "both.csv")
    shared = int((first & second).sum())
    [one] = found["overlaps"]
    assert (one["id"], one["line"], one["masks"], one["pixels"]) == ("f0", 2, 2, shared)
    assert not found["problems"]
    assert found["exit_code"] == 0
    said = [text for _, text in submission_screen(found)]
    assert "masks overlap in 1 field" in said
    assert any("line 2: f0: 2 masks share 2 pixels" in text for text in said)


def _screen(folder, text):
    (folder / "odd.csv").write_text(text, encoding="utf-8")
    found = check_submission(folder / "odd.csv", against=folder / "sample.csv")
    return found, "\n".join(f"{head} {said}" for head, said in submission_screen(found))


def test_what_the_challenge_takes_and_nobody_means_is_a_warning(folder):
    (folder / "sample.csv").write_text("ID\nf0\n", encoding="utf-8")
    labels = np.zeros((7, 9), np.uint8)
    labels[1:3, 1:4] = 1
    mask, nothing = encode_masks(labels)[1], "eNoLCAgIMAEABJkBdQ=="
    row = f"0 7.5 {mask} 1 -2 {mask} 0 0.25 {mask} 1 0.5 {nothing}"
    found, said = _screen(folder, f"{HEADER}\nf0,9,7,{row}")
    assert found["exit_code"] == 0
    assert len(found["warnings"]) == 4
    assert "confidences beyond 0..1 in 1 field (-2 to 7.5), first in line 2" in said
    assert "1 prediction of a mask and class that stand before in the row, first in line 2" in said
    assert "1 mask without a pixel" in said
    assert "the last line has no end: the file may be cut off" in said
    _, said = _screen(folder, f"{HEADER}\nf0,9,7,0 0.5 {mask} 1 0.5 {mask}\n")
    assert "Warning" not in said


@pytest.mark.parametrize("name", ["F0", " f0", "f0.png"])
def test_an_id_spelled_otherwise_is_named_with_the_one_asked_for(folder, name):
    (folder / "sample.csv").write_text("ID\nf0\n", encoding="utf-8")
    found, said = _screen(folder, f"{HEADER}\n{name},9,7,\n")
    assert found["exit_code"] == 4
    assert f"line 2: {name}: it was not requested, but for 'f0'" in said
    assert "f0: the file has no row for it" in said
    assert "line 0" not in said


def test_a_faulty_row_is_not_missing_too(folder):
    (folder / "sample.csv").write_text("ID\nf0\nf1\n", encoding="utf-8")
    found, said = _screen(folder, f"{HEADER}\nf0,9,7,0 1\nf1,9,7")
    assert [one["code"] for one in found["problems"]] == ["word_count", "cut_row"]
    assert "1 row that is cut off, 1 row without whole triples" in said


def test_a_run_asks_for_the_fields_and_sizes_that_it_exports(tmp_path):
    write_run(tmp_path / "run", sites=4, part="test")
    RunFolder(tmp_path / "run").record.write_text("{}")
    path = RunFolder(tmp_path / "run").sites
    sized = read_table(path, SITES).with_columns(
        width=pl.lit(40, pl.Int32), height=pl.lit(40, pl.Int32)
    )
    write_table(path, SITES, sized)
    rows = [[name, "40", "40", ""] for name in sized["raw_id"].unique()]
    path = write_submission(tmp_path / "own.csv", rows)
    assert check_submission(path, against=tmp_path / "run")["problems"] == []
    path = write_submission(tmp_path / "own.csv", [[rows[0][0], "40", "41", ""]])
    found = check_submission(path, against=tmp_path / "run")["problems"]
    assert sorted(one["code"] for one in found) == ["missing_row"] * 3 + ["other_size"]


def test_masks_are_spoken_of_only_where_a_submission_has_them():
    wells = {"kind": "rxrx1", "rows": 2, "classes": {"a": 2}, "warnings": [], "problems": []}
    cells = wells | {"kind": "hpa", "rows_without_predictions": 0, "predictions": 1, "masks": 1}
    said = [dict(submission_screen(facts))["Problems"] for facts in (wells, cells)]
    assert said == ["none (every row read)", "none (every row read, every mask decoded)"]
