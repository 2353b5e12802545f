"""The page as a whole: every kind of run gives one, it loads nothing, names stay text."""

import json
import re
import shutil
from html.parser import HTMLParser

import polars as pl
import pytest

from cellwise.domain.tables import SITES
from cellwise.errors import BadOption
from cellwise.stages.report._page import ONLY_WHERE_MADE, SECTIONS
from cellwise.stages.report.spec import Options
from cellwise.stages.report.step import LARGEST
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table, write_table

# Class maps are there only where a score step kept some: see test_maps.
TITLES = [title for name, title, _ in SECTIONS if name not in ONLY_WHERE_MADE]
NINETEEN = (*(f"Class {i}" for i in range(18)), "Negative")


class Outline(HTMLParser):
    """Tags, text and the addresses that a page would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"classes": (), "labels": False},
        {"labels": False},
        {"cells": 0},
        {"wells": False},
        {"classes": ("inside",)},
        {"classes": NINETEEN},
    ],
    ids=["plate", "segment-only", "unlabelled", "no-cells", "no-wells", "one-class", "nineteen"],
)
def test_every_kind_of_run_has_a_page_with_all_sections(tmp_path, make_run, kind):
    page = make_run(tmp_path, **kind).html(negative_control="blind" if not kind else "")
    words = " ".join(Outline(page).words)
    # Without classes there is less to say: see test_outlines_only.
    expected = TITLES if kind.get("classes", True) else [*TITLES[:3], TITLES[-1]]
    assert [title for title in expected if title not in words] == []
    assert len(page.encode()) < LARGEST
    assert "undefined" not in words.replace("undefined'", "")
    assert " nan" not in words.lower()


def test_the_page_loads_nothing_from_elsewhere(plate_run):
    outline = Outline(plate_run.html())
    assert [a for a in outline.loads if not a.startswith(("data:", "#"))] == []
    assert outline.tags.count("script") == 1


def test_names_are_text_whatever_they_hold(plate_run):
    page = plate_run.html()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<script>document.title" not in page


def test_a_hostile_class_name_is_text_in_charts_too(tmp_path, make_run):
    name = "<img src=x onerror=alert(1)>"
    page = make_run(tmp_path, classes=(name, "Negative")).html()
    assert name not in page
    assert "&lt;img src=x" in page


def test_the_same_run_gives_the_same_page(plate_run):
    assert plate_run.html() == plate_run.html()


def test_a_page_without_images_says_so_in_their_place(plate_run):
    shutil.rmtree(plate_run.images)
    assert "The image file is no longer where it was read from." in plate_run.html()


def test_a_page_without_crops_says_so(plate_run):
    shutil.rmtree(plate_run.run / "crops")
    assert "The single-cell images are no longer in the run folder." in plate_run.html()


def test_a_folder_with_nothing_in_it_still_has_a_page(plate_run):
    for path in plate_run.run.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "This run has read no images yet" in plate_run.html()


def test_sites_that_could_not_be_decoded_are_in_no_count(plate_run):
    import polars as pl

    from cellwise.domain.tables import PIXELS
    from cellwise.store.run.tables import read_table, write_table

    path = plate_run.run / "pixels.parquet"
    kept = read_table(path, PIXELS).filter(pl.col("site_id") != "plate_A03")
    write_table(path, PIXELS, kept)
    assert "11 fields of view" in re.sub(r"\s+", " ", plate_run.html())


def test_probabilities_against_field_labels_are_never_called_calibrated(plate_run):
    words = " ".join(Outline(plate_run.html()).words)
    assert "weak" in words
    assert "calibrated" not in words


def test_audited_probabilities_are_called_calibrated(plate_run):
    decision = plate_run.run / "decisions" / "decide.json"
    decision.write_text(decision.read_text().replace('"weak"', '"audited"'))
    assert "calibrated against cells" in plate_run.html()


def test_the_context_of_label_sets_is_told_with_and_without(plate_run):
    path = plate_run.run / "decisions" / "decide.json"
    decision = json.loads(path.read_text())
    assert "Context of label sets" not in plate_run.html()
    figures = {
        name: {"value": value, "low": value - 0.01, "high": value + 0.01}
        for name, value in (("without", 0.62), ("with", 0.68), ("difference", 0.06))
    }
    sets = {"gain": 1.25, "used": True, "labelled": {"fields": 8, **figures}}
    path.write_text(json.dumps({**decision, "sets": sets}))
    words = plate_run.html()
    assert "is on: label sets of other groups foretell a group&#39;s labels by 1.25" in words
    assert "0.62 without, 0.68 with (difference 0.06, 95 % interval 0.05 to 0.07" in words
    sets = {"gain": None, "used": False, "labelled": None}
    path.write_text(json.dumps({**decision, "sets": sets}))
    assert "Context of label sets is off: too few labelled groups" in plate_run.html()
    assert "macro average precision 0.62" not in plate_run.html()


def test_no_more_sites_and_cells_are_shown_than_asked_for(plate_run):
    page = plate_run.html(sites=3, gallery=2)
    assert page.count('class="enlarge"') == 3
    assert "2 of 108 cells" in page


def test_a_page_too_large_to_send_is_made_with_fewer_images(plate_run, monkeypatch):
    import cellwise.stages.report.step as step

    whole = len(plate_run.html().encode())
    monkeypatch.setattr(step, "LARGEST", whole - 1)
    assert len(plate_run.html().encode()) < whole


@pytest.mark.parametrize("option", [{"sites": -1}, {"sites": 1000}, {"gallery": 41}])
def test_options_without_meaning_are_refused(option):
    with pytest.raises(BadOption, match=next(iter(option))):
        Options.of(option)


def test_what_the_step_evaluate_writes_is_shown(plate_run):
    """The two steps meet in `evaluation.json` only; this holds their keys together."""
    from cellwise.domain.steps import Job
    from cellwise.stages.evaluate.step import work

    (plate_run.run / "evaluation.json").unlink()
    before = plate_run.html()
    job = Job(plate_run.run, plate_run.images, "evaluate", {"draws": 40}, key="k", seed=1)
    work(job, lambda done, total, note: None)
    page = plate_run.html()
    for words in ("Midpoint, dose steps", "Intraclass correlation", "Do the controls stand apart"):
        assert words not in before
        assert words in page
    assert "Average precision with its 95 % interval" in page
    assert "cannot be distinguished" in page


def test_a_page_that_is_made_smaller_gathers_once(plate_run, monkeypatch):
    from cellwise.stages.report import step

    calls = []
    gather = step.gather

    def counted(*words):
        calls.append(words)
        return gather(*words)

    monkeypatch.setattr(step, "gather", counted)
    whole = len(plate_run.html().encode())
    monkeypatch.setattr(step, "LARGEST", int(whole * 0.9))
    smaller = len(plate_run.html().encode())
    assert smaller < whole * 0.9
    assert len(calls) == 2, "once for each of the two pages"


def test_a_known_pixel_size_gives_fields_and_cells_a_scale_bar(plate_run):
    unknown = plate_run.html()
    assert 'class="bar"' not in unknown
    assert "there is no scale bar" in unknown
    sites = RunFolder(plate_run.run).sites
    write_table(sites, SITES, read_table(sites, SITES).with_columns(pixel_size=pl.lit(0.5)))
    page = plate_run.html()
    assert "there is no scale bar" not in page
    fields = page[page.index('id="segmentation"') : page.index('id="plates"')]
    # 160 pixels are 80 micrometres wide, of which 20 are a quarter.
    assert fields.count('style="width: 25.00%"><span>20 µm</span>') == 12
    cells = page[page.index('id="galleries"') :]
    # A box of 41 or 42 pixels and a tenth is about 23 micrometres wide.
    assert cells.count("<span>5 µm</span>") > 20
