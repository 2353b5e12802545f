"""The page of a run that only finds cells, and scores against known masks."""

import json
import re
import shutil

import numpy as np
import polars as pl
import pytest

from cellwise.app.evaluate import evaluate
from cellwise.domain.records import Masks
from cellwise.domain.tables import CELLS, PIXELS, SITES
from cellwise.stages.report._page import ONLY_WHERE_MADE, SECTIONS, sections_of
from cellwise.stages.report.material import Choices, Material
from cellwise.stages.report.sections import known, segmentation
from cellwise.store.run.masks import read_masks
from cellwise.store.run.tables import read_table, write_table
from cellwise.store.worlds.truth import write_truth_masks

PLAIN = ["verdict", "inputs", "segmentation", "provenance"]


def words_of(page):
    text = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def sections_in(page):
    return re.findall(r'<section id="(\w+)"', page)


@pytest.fixture
def outlines(tmp_path, make_run):
    return make_run(tmp_path, classes=(), labels=False, wells=False)


def only(made, count):
    """The run cut down to its first fields."""
    run = made.run
    keep = sorted(read_table(run / "sites.parquet", SITES)["site_id"].unique().to_list())[:count]
    for name, kind in (("sites", SITES), ("cells", CELLS), ("pixels", PIXELS)):
        path = run / f"{name}.parquet"
        frame = read_table(path, kind)
        write_table(path, kind, frame.filter(pl.col("site_id").is_in(keep)))
    return made


def truth_of(made, folder, change=lambda masks, site: masks):
    """Known masks: those of the run, changed."""
    for path in sorted((made.run / "masks").glob("*_cells.tif")):
        site = path.name.removesuffix("_cells.tif")
        write_truth_masks(folder, site, change(read_masks(made.run / "masks", site), site))
    return folder


def without_cell_3(masks, site):
    return Masks(np.where(masks.cells == 3, 0, masks.cells), masks.nuclei * 0)


def compared(made, truth):
    evaluate(made.run, truth, draws=20)
    return made.html()


@pytest.mark.parametrize("wells", [False, True])
def test_the_page_holds_what_there_is_to_say_and_no_empty_section(tmp_path, make_run, wells):
    page = make_run(tmp_path, classes=(), labels=False, wells=wells).html()
    expected = [*PLAIN[:3], "plates", "provenance"] if wells else PLAIN
    assert sections_in(page) == expected
    assert 'class="empty"' not in page
    assert [title for name, title, _ in SECTIONS if name in expected and title not in page] == []


@pytest.mark.parametrize("change", [lambda made: made, lambda made: only(made, 1)])
def test_nothing_is_said_of_probabilities_labels_or_classes(outlines, change):
    words = words_of(change(outlines).html()).lower()
    for word in ("probab", "calibrat", "trained", "with a label", "per class", "undefined", "nan "):
        assert word not in words, word
    assert "it gave no classes" in words


def test_fields_are_listed_with_size_cells_and_flags(outlines):
    page = outlines.html()
    assert page.count("160 × 160") == 12
    row = re.search(r"<tr><td class=\"path\">plate_A01.*?</tr>", page)[0]
    assert re.findall(r"<td[^>]*>([^<]*)", row)[1:4] == ["160 × 160", "9", "1"]
    assert "1 no nucleus" in row
    assert "dna saturated; gfp saturated" in page
    assert '<details class="rows" open>' in page


def test_one_field_without_cells_is_told_in_plain_words(tmp_path, make_run):
    page = words_of(only(make_run(tmp_path, classes=(), labels=False, cells=0), 1).html())
    assert "0 cells were found in 1 field." in page
    assert "is there a cell that should have been found?" in page
    assert "1 field has no cell at all" in page
    assert "median field" not in page


def test_many_fields_are_cut_off_with_the_place_of_the_rest():
    n = 700
    sites = pl.DataFrame(
        {
            "site_id": [f"s{k:04d}" for k in range(n)],
            "part": ["unlabelled"] * n,
            "labels": pl.Series([None] * n, dtype=pl.List(pl.String)),
            "height": [64] * n,
            "width": [80] * n,
        }
    )
    cells = pl.DataFrame(
        {
            "site_id": [f"s{k:04d}" for k in range(n) for _ in range(k % 5)],
            "area": 50,
            "border": False,
            "flags": pl.Series([["tiny"]] * sum(k % 5 for k in range(n)), dtype=pl.List(pl.String)),
        }
    )
    material = Material(None, Choices(sites=0), sites=sites, cells=cells)
    found = segmentation.context(material)
    assert len(found["rows"]) == 500
    assert not found["open_rows"]
    assert found["rows"][4]["flags"] == "4 tiny"
    assert (found["rows"][0]["n"], found["rows"][0]["area"]) == (0, None)
    assert found["n_empty"] == 140


def test_what_was_odd_about_brought_masks_is_told(outlines):
    done = outlines.run / "done"
    done.mkdir()
    rows = [
        {"site": "plate_A01", "counts": {"cells": 9, "overlapped_pixels": 1200}},
        {"site": "plate_A02", "counts": {"overlapped_pixels": 7, "outlines_lost": 2}},
        {"site": "plate_A02", "counts": {"overlapped_pixels": 34, "outlines_skipped": 3}},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    (done / "segment.jsonl").write_text(text + '\n{"site": "plate_A03", "overlapped_pixels')
    page = words_of(outlines.html())
    assert "1,234 pixels of 2 fields were claimed by two of the outlines" in page
    assert "left no pixel" not in page
    assert "3 entries of the files of masks are no outline" in page


def test_without_known_masks_the_verdict_says_what_would_help(outlines):
    assert "Nobody has compared these outlines with known masks" in words_of(outlines.html())


def test_after_evaluate_the_page_shows_the_scores_and_the_worst_fields(outlines, tmp_path):
    def change(masks, site):
        return (
            without_cell_3(masks, site)
            if site == "plate_B02"
            else Masks(masks.cells, masks.nuclei * 0)
        )

    page = compared(outlines, truth_of(outlines, tmp_path / "truth", change))
    assert sections_in(page) == [*PLAIN[:3], "known", "provenance"]
    words = words_of(page)
    # 107 hits, one outline that is none: F1 = 214 / 215.
    assert "F1 0.995 at IoU 0.5, 0 missed, 1 outline that is none." in words
    assert "107 of 107" in words
    listed = re.findall(r"<tr><td class=\"path\">(plate_\w+)", page.split('id="known"')[1])
    assert listed[0] == "plate_B02"
    assert page.split('id="known"')[1].count('class="enlarge"') == 1
    assert "out of date" not in words
    assert "no predictions" not in words


def test_nuclei_are_scored_apart_where_they_are_known(outlines, tmp_path):
    def change(masks, site):
        return Masks(masks.cells, np.roll(masks.nuclei, 60, axis=1))

    words = words_of(compared(outlines, truth_of(outlines, tmp_path / "truth", change)))
    assert "Cells, all fields" in words
    assert "Nuclei, all fields" in words
    found = json.loads((outlines.run / "evaluation_truth.json").read_text())
    assert found["metrics"]["segmentation_f1_50"]["value"] == 1
    assert found["metrics"]["nuclei_f1_50"]["value"] < 0.2
    assert not found["tables"]["all fields"]["nuclei"]["same_as_cells"]


def test_known_masks_of_one_kind_are_held_against_what_they_fit(outlines, tmp_path):
    page = compared(
        outlines,
        truth_of(
            outlines, tmp_path / "truth", lambda masks, site: Masks(masks.nuclei, masks.nuclei)
        ),
    )
    words = words_of(page)
    assert "The nuclei of this run fit better and are shown; its cells reach F1 0.000" in words
    assert "Cells, all fields" not in words
    assert "F1 1.000 at IoU 0.5" in words


def test_changed_outlines_make_the_scores_out_of_date(outlines, tmp_path):
    compared(outlines, truth_of(outlines, tmp_path / "truth", without_cell_3))
    path = outlines.run / "cells.parquet"
    frame = read_table(path, CELLS)
    write_table(path, CELLS, frame.with_columns((pl.col("area") + 1).alias("area")))
    assert "out of date" in words_of(outlines.html())


def test_a_field_that_lost_all_its_cells_makes_the_scores_out_of_date(outlines, tmp_path):
    compared(outlines, truth_of(outlines, tmp_path / "truth", without_cell_3))
    path = outlines.run / "cells.parquet"
    write_table(path, CELLS, read_table(path, CELLS).filter(pl.col("site_id") != "plate_A01"))
    assert "out of date" in words_of(outlines.html())


def test_known_masks_that_are_gone_leave_the_scores(outlines, tmp_path):
    truth = truth_of(outlines, tmp_path / "truth", without_cell_3)
    compared(outlines, truth)
    shutil.rmtree(truth)
    words = words_of(outlines.html())
    assert "the known masks are no longer in" in words
    assert "96 of 96" in words


def test_a_run_with_classes_shows_scores_too(plate_run, tmp_path):
    page = compared(plate_run, truth_of(plate_run, tmp_path / "truth", without_cell_3))
    assert sections_in(page) == [name for name, _, _ in SECTIONS if name not in ONLY_WHERE_MADE]
    assert "The worst fields (cells)" in words_of(page)


def test_an_older_evaluation_without_rows_per_field_is_passed_over(outlines):
    (outlines.run / "evaluation_truth.json").write_text('{"tables": {"all fields": {"x": 1}}}')
    assert sections_in(outlines.html()) == PLAIN


def test_what_is_found_in_a_field_without_known_cells_is_false(outlines, tmp_path):
    def change(masks, site):
        return Masks(masks.cells * (site != "plate_A01"), masks.nuclei * 0)

    compared(outlines, truth_of(outlines, tmp_path / "truth", change))
    rows = json.loads((outlines.run / "evaluation_truth.json").read_text())
    row = rows["tables"]["all fields"]["fields"][0]
    assert (row["site_id"], row["f1_50"], row["false"]) == ("plate_A01", 0.0, 9)


def test_the_sections_of_an_unknown_run_are_all():
    nothing = Material(None, Choices())
    assert sections_of(nothing) == tuple(
        entry for entry in SECTIONS if entry[0] not in ONLY_WHERE_MADE
    )
    assert known.points(nothing) == []
