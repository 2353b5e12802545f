"""The demo: what is labelled, what is embedded, and that its check can fail."""

import csv
import io
import json

import numpy as np
import polars as pl
import pytest
import tifffile
from PIL import Image
from scipy.stats import spearmanr

from cellwise.app.demo import (
    LIMITS,
    RATIO,
    check_figures,
    labels_text,
    missed_limits,
    print_lines,
    run_demo,
    unpack,
)
from cellwise.flow.pipeline.events import Silent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    unpack(out)
    return out


def test_only_the_control_wells_are_labelled(unpacked):
    rows = list(csv.DictReader(io.StringIO((unpacked / "labels.csv").read_text())))
    labels = {row["well"]: row["label"] for row in rows if row["label"]}
    expected = {f"{row}{column}": "Negative" for row in "AB" for column in ("01", "02")}
    expected |= {f"{row}12": "Translocated" for row in "AB"}
    expected |= {f"{row}01": "Translocated" for row in "EF"}
    expected |= {f"{row}{column}": "Negative" for row in "EF" for column in ("02", "12")}
    assert labels == expected
    assert len(rows) == 48
    assert {row["Replicate"] for row in rows if row["well"][0] in "AE"} == {"1"}
    assert {row["Replicate"] for row in rows if row["well"][0] in "BF"} == {"2"}


def test_what_is_there_already_is_kept(unpacked):
    before = {p: p.stat().st_mtime_ns for p in unpacked.rglob("*")}
    unpack(unpacked)
    assert {p: p.stat().st_mtime_ns for p in unpacked.rglob("*")} == before


def test_the_embedded_images_are_the_originals(unpacked, shared_data):
    originals = sorted((shared_data / "bbbc013_translocation" / "images").glob("*.png"))
    assert len(originals) == 96
    for path in originals[::7]:
        np.testing.assert_array_equal(
            np.asarray(Image.open(unpacked / "input" / path.name)), np.asarray(Image.open(path))
        )


def test_the_embedded_images_are_small(unpacked):
    from importlib.resources import files

    folder = files("cellwise") / "demo" / "plate"
    sizes = [len(entry.read_bytes()) for entry in folder.iterdir()]
    assert sum(sizes) < 10_000_000
    tifs = [entry for entry in folder.iterdir() if entry.name.endswith(".tif")]
    assert tifffile.imread(io.BytesIO(tifs[0].read_bytes())).dtype == np.uint8


def good():
    drug = {"rows": "A-D", "dose_spearman": 0.9, "r2": 0.99, "midpoint": 4.2, "midpoint_low": 4.0}
    drug |= {"midpoint_high": 4.4, "reference_midpoint": 4.3}
    return {
        "drugs": [drug, {**drug, "rows": "E-H"}],
        "z_prime": 0.8,
        "cell_ratio_spearman": 0.6,
        "between_wells_spearman": 0.8,
        "negative_control": {"dose_spearman": -0.1, "z_prime": -3.0},
    }


def test_good_figures_pass():
    assert missed_limits(good()) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda r: r["drugs"][0].update(r2=0.94), "R2"),
        (lambda r: r["drugs"][1].update(dose_spearman=-0.9), "dose rank"),
        (lambda r: r["drugs"][0].update(midpoint=4.81), "midpoint"),
        (lambda r: r["drugs"][0].update(reference_midpoint=None), "midpoint"),
        (lambda r: r.update(z_prime=None), "Z'"),
        (lambda r: r.update(cell_ratio_spearman=0.44), "within-well"),
        (lambda r: r["negative_control"].update(dose_spearman=-0.5), "negative control"),
        (lambda r: r["negative_control"].update(z_prime=0.0), "negative control"),
    ],
)
def test_each_figure_can_be_missed(change, word):
    result = good()
    change(result)
    missed = missed_limits(result)
    assert len(missed) == 1
    assert word in missed[0]


def test_a_failed_demo_can_still_be_printed():
    result = good() | {"wells": 48, "cells": 9, "wells_shown": [("A01", "negative", 0.1, 5)]}
    result["drugs"][0]["midpoint"] = None
    assert any("none" in line for line in print_lines(result))


def test_labels_follow_the_table_of_wells():
    text = labels_text("well,row,column,dose_index,control\nA01,A,01,0,negative\nB05,B,05,3,\n")
    assert text.splitlines()[1:] == ["A01,Negative,0,A-D,negative,1", "B05,,3,A-D,,2"]


def test_the_demo_reaches_its_figures(tmp_path):
    """The main job on the real plate; its figures computed once more from the table of cells."""
    outcome, shown = run_demo(tmp_path, workers=1, command=["demo"], listener=Silent())
    assert outcome.exit_code == 0
    result = json.loads((tmp_path / "demo.json").read_text())
    assert shown["missed"] == []
    assert set(result) == {
        "ok", "seconds", "positive_class", "drugs", "z_prime", "cell_ratio_spearman",
        "between_wells_spearman", "negative_control", "wells", "cells",
    }  # fmt: skip
    assert result["ok"]
    assert [set(drug) for drug in result["drugs"]] == [
        {
            "rows",
            "dose_spearman",
            "r2",
            "midpoint",
            "midpoint_low",
            "midpoint_high",
            "reference_midpoint",
        }
    ] * 2
    cells = pl.read_parquet(tmp_path / "predictions.parquet")
    assert result["cells"] == cells.height
    assert result["wells"] == cells["Metadata_Well"].n_unique() == 48
    within = []
    for (well,), rows in cells.group_by("Metadata_Well"):
        if well[0] in "ABEF" and well[1:] in ("05", "06", "07"):
            known = rows.drop_nulls(RATIO)
            within.append(spearmanr(known["Prob_Translocated"], known[RATIO]).statistic)
    assert result["cell_ratio_spearman"] == pytest.approx(np.median(within), abs=1e-4)
    assert np.median(within) >= LIMITS["cell_ratio_spearman"]
    again = check_figures(tmp_path, seconds=result["seconds"])
    assert {**again, "ok": True} == result
