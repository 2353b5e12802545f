"""A submission is held against the table that asks for it: ids, and the sizes of images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwise.app.check_submission import check_submission
from cellwise.app.cli.terminal.checked import submission_screen
from cellwise.kernels.runs import encode_masks

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
