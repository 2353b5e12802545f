"""The submission file: every test field once, every cell once per class, masks that decode."""

import csv
import re

import numpy as np
import polars as pl
import pytest

from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import FormatError, PreflightError
from cellwise.kernels.runs import decode_mask, encode_masks
from cellwise.stages.export import _predictions, exporters, hpa_csv
from cellwise.store.run.masks import mask_path, write_labels
from cellwise.store.run.tables import read_table, write_table
from cellwise.testing.runs import CLASSES, site, write_small_run


@pytest.fixture
def classes():
    """Three of the challenge's 19 classes; their numbers there are 7, 16 and 18."""
    return CLASSES


def exported(run, path):
    exporters.build("hpa_csv")(run, path)
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def triples(text):
    words = text.split(" ")
    return [tuple(words[k : k + 3]) for k in range(0, len(words), 3)]


def test_only_test_fields_and_their_own_names(run, tmp_path):
    rows = exported(run, tmp_path / "out.csv")
    assert list(rows[0]) == ["ID", "ImageWidth", "ImageHeight", "PredictionString"]
    assert [row["ID"] for row in rows] == ["raw/3", "s4"]
    assert (rows[0]["ImageWidth"], rows[0]["ImageHeight"]) == ("30", "20")
    assert rows[1]["PredictionString"] == ""
    assert rows[1]["ImageWidth"] == "30"


def test_without_a_test_part_all_fields_are_written(make_run, tmp_path):
    run = make_run(("s1",), ("s2",), ("s3",))
    rows = exported(run, tmp_path / "out.csv")
    assert [row["ID"] for row in rows] == ["s1", "s2", "s3"]
    assert [len(triples(row["PredictionString"])) for row in rows] == [6, 1, 3]


def test_every_cell_once_per_class_with_its_mask(make_run, tmp_path, classes, true_labels):
    run = make_run(("s1",), ("s2",))
    found = triples(exported(run, tmp_path / "out.csv")[0]["PredictionString"])
    table = read_table(run.predictions, PREDICTIONS)
    assert [t[0] for t in found] == ["7", "16", "18"] * 2
    for k, (number, confidence, text) in enumerate(found):
        cell = (1, 4)[k // 3]
        mask = decode_mask(text, 20, 30)
        np.testing.assert_array_equal(mask, true_labels("s1") == cell)
        chance = table[f"Prob_{classes[k % 3]}"][k // 3]
        assert int(number) == (7, 16, 18)[k % 3]
        assert confidence == f"{chance:.5f}"
        assert len(confidence.partition(".")[2]) == 5


def test_pieces_make_the_same_file(run, tmp_path, monkeypatch):
    exported(run, tmp_path / "whole.csv")
    monkeypatch.setattr(_predictions, "_ROWS_AT_ONCE", 1)
    exported(run, tmp_path / "pieces.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "pieces.csv").read_bytes()


def test_a_field_that_was_set_aside_keeps_its_row(run, tmp_path):
    mask_path(run.masks, "s4", "cells").unlink()
    assert exported(run, tmp_path / "out.csv")[1]["PredictionString"] == ""


def test_masks_of_another_run_are_refused(run, tmp_path):
    write_labels(mask_path(run.masks, "s3", "cells"), np.full((20, 30), 77))
    with pytest.raises(FormatError, match="cell 2 is not in the masks"):
        exported(run, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_run_without_class_columns_is_refused(make_run, tmp_path, classes):
    run = make_run(("s1",), drop=[f"Prob_{c}" for c in classes])
    with pytest.raises(PreflightError, match="64 classes"):
        exported(run, tmp_path / "out.csv")


def test_rows_of_wells_are_left_out(run, tmp_path):
    table = read_table(run.predictions, PREDICTIONS)
    write_table(run.predictions, PREDICTIONS, table.with_columns(unit=pl.lit("well")))
    assert exported(run, tmp_path / "out.csv")[0]["PredictionString"] == ""


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("0", "5", "16"), "0 5 16"),
        (("Vesicles", "2", "Negative"), "17 2 18"),
        (("18", "3", "11"), "18 3 11"),
    ],
)
def test_ids_of_classes_stay_ids(tmp_path, names, numbers):
    run = write_small_run(tmp_path / "run", [site("s3")], classes=names)
    found = triples(exported(run, tmp_path / "out.csv")[0]["PredictionString"])
    assert " ".join(number for number, _, _ in found) == numbers


@pytest.mark.parametrize(
    "names",
    [
        ("a", "b", "c"),
        ("0", "5", "19"),
        ("Nuclear", "Cytosol", "Negative"),
        ("7", "Golgi apparatus", "0"),
    ],
)
def test_classes_that_are_not_those_of_the_challenge_are_refused(tmp_path, names):
    run = write_small_run(tmp_path / "run", classes=names)
    with pytest.raises(PreflightError, match="not those of the HPA challenge"):
        exported(run, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace("s4", "s5"), "row of s4 is not there"),
        (lambda text: text[: text.index("s4")], "row of s4 is not there"),
        (lambda text: text + "s9,30,20,\n", "more rows than fields"),
        (lambda text: text.replace(" ", " x", 1), "is no number"),
        (lambda text: text.replace(",20,", ",21,", 1), "masks are of 20 x 30"),
        (lambda text: text.replace("7 ", "19 ", 1), "class '19'"),
        # A cell twice of one class and never of another; and a triple less.
        (lambda text: text.replace(" 18 ", " 16 ", 1), "every class once"),
        (lambda text: re.sub(r" \S+ \S+ \S+\ns4", "\ns4", text), "every class once"),
    ],
)
def test_what_cannot_be_read_back_does_not_get_the_name(run, tmp_path, monkeypatch, spoil, words):
    exported(run, tmp_path / "good.csv")
    good = (tmp_path / "good.csv").read_text(encoding="utf-8")
    assert spoil(good) != good
    plain = hpa_csv._write_rows

    def write(handle, *others):
        plain(handle, *others)
        handle.seek(0)
        handle.truncate()
        handle.write(spoil(good))

    monkeypatch.setattr(hpa_csv, "_write_rows", write)
    with pytest.raises(FormatError, match=words):
        exporters.build("hpa_csv")(run, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.glob("*.csv")] == ["good.csv"]


def test_masks_of_another_field_are_seen_while_reading_back(run, tmp_path, monkeypatch):
    monkeypatch.setattr(hpa_csv, "encode_masks", lambda labels: encode_masks(labels[::-1]))
    with pytest.raises(FormatError, match="none of a cell of this run"):
        exporters.build("hpa_csv")(run, tmp_path / "out.csv")


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_probability_that_is_no_number_is_named(run, tmp_path, classes, value):
    table = read_table(run.predictions, PREDICTIONS)
    bad = pl.when(pl.col("site_id") == "s3").then(value).otherwise(pl.col(f"Prob_{classes[0]}"))
    spoiled = table.with_columns(bad.cast(pl.Float32).alias(f"Prob_{classes[0]}"))
    write_table(run.predictions, PREDICTIONS, spoiled)
    with pytest.raises(FormatError, match=r"s3: cell \d has a probability that is no number"):
        exporters.build("hpa_csv")(run, tmp_path / "out.csv")
