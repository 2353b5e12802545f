"""The read step writes sites and all that was noticed, and reads alike folders again."""

import json

import polars as pl
import pytest
from tests.stages.read.read_folders import put, put_table, read

from cellwise.domain.steps import Job
from cellwise.domain.tables import SITES
from cellwise.errors import PreflightError
from cellwise.stages.read import step
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table


def job(tmp_path, images, **options):
    return Job(tmp_path / "run", images, "read", options, "key", 0, workers=2)


def silent(done, total, note):
    pass


@pytest.fixture
def plate(tmp_path):
    return put(
        tmp_path / "in", *(f"{w}_{c}.png" for w in ("A01", "A02", "B01") for c in ("dna", "gfp"))
    )


def test_sites_come_back_as_they_were_understood(tmp_path, plate):
    labels = put_table(
        tmp_path / "l.csv", ("well", "label", "dose"), ("A01", "x|y", "3"), ("A02", "", "4")
    )
    (plate / "B01_gfp.png").write_bytes(b"")
    counts = step.work(job(tmp_path, plate, labels=str(labels)), silent)
    run = RunFolder(tmp_path / "run")
    frame = read_table(run.sites, SITES)
    assert counts["sites"] == 3
    assert dict(frame.group_by("site_id").agg(pl.col("status").first()).iter_rows()) == {
        "A01": "ok",
        "A02": "ok",
        "B01": "empty_file",
    }
    sites = {site.id: site for site in read_sites(run.sites)}
    assert sites["A01"].labels == ("x", "y")
    assert sites["A01"].metadata == {"Well": "A01", "dose": "3"}
    assert sites["A02"].labels is None
    assert read_field(sites["A01"], plate).pixels.shape == (2, 24, 32)
    row = frame.filter(site_id="A01", channel="dna").to_dicts()[0]
    assert (row["height"], row["width"], row["dtype"], row["role"]) == (24, 32, "uint8", "nucleus")
    assert row["size"] == (plate / "A01_dna.png").stat().st_size
    assert row["mtime_ns"] == (plate / "A01_dna.png").stat().st_mtime_ns


def test_what_was_noticed_is_written_down(tmp_path, plate):
    (plate / "B01_gfp.png").write_bytes(b"")
    put(plate, "<script>.png")
    step.work(job(tmp_path, plate), silent)
    reading = read_json(RunFolder(tmp_path / "run").reading)
    assert reading["layout"] == "well_channel"
    assert reading["channels"] == [
        {"name": "dna", "role": "nucleus"},
        {"name": "gfp", "role": "protein"},
    ]
    assert reading["classes"] is None
    assert {p["code"]: p["path"] for p in reading["problems"]} == {
        "name_unmatched": "<script>.png",
        "empty_file": "B01_gfp.png",
    }
    assert all(p["reason"] and p["remedy"] for p in reading["problems"])


def test_an_alike_folder_is_read_by_what_is_remembered(tmp_path):
    put(tmp_path / "one", *(f"x{n}_c{c}_P9.png" for n in (1, 2) for c in (1, 2)))
    labels = put_table(tmp_path / "l.csv", ("image", "label"), ("P9_x1", "b"), ("P9_x2", "-"))
    options = {"pattern": "{site}_c{channel}_{plate}", "roles": {"1": "nucleus"}, "stack": "mid"}
    step.work(job(tmp_path, tmp_path / "one", labels=str(labels), key="image", **options), silent)
    again = read_json(RunFolder(tmp_path / "run").reading)["again"]
    json.dumps(again)
    put(tmp_path / "two", *(f"y{n}_c{c}_P7.png" for n in (1, 2) for c in (1, 2)))
    reading = read(tmp_path / "two", **again)
    assert reading.layout == "pattern"
    assert [site.id for site in reading.usable] == ["P7_y1", "P7_y2"]
    assert [c.role for c in reading.channels] == ["nucleus", None]


@pytest.mark.parametrize("texts", [("a", "b"), ("only", ""), ("3", "12"), ("x", "Negative")])
def test_classes_are_remembered_for_folders_without_labels(tmp_path, plate, texts):
    labels = put_table(
        tmp_path / "l.csv", ("well", "label"), *zip(("A01", "A02"), texts, strict=True)
    )
    first = read(plate, labels=str(labels))
    second = read(plate, **first.again)
    assert second.classes == first.classes
    assert second.class_list == first.class_list == ""
    assert {site.labels for site in second.sites} == {None}


def test_a_folder_without_a_usable_site_is_refused_after_writing_why(tmp_path):
    put(tmp_path / "in", "A01_dna.png")
    (tmp_path / "in" / "A01_dna.png").write_bytes(b"")
    with pytest.raises(PreflightError, match="zero bytes"):
        step.work(job(tmp_path, tmp_path / "in"), silent)
    assert read_json(RunFolder(tmp_path / "run").reading)["problems"][0]["code"] == "empty_file"


def test_a_folder_of_another_layout_than_remembered_is_refused(tmp_path):
    put(tmp_path / "in", "whatever.png")
    with pytest.raises(PreflightError, match="layout phenix"):
        step.work(job(tmp_path, tmp_path / "in", layout="phenix"), silent)


def test_reading_reports_its_progress(tmp_path, plate):
    seen = []
    step.work(job(tmp_path, plate), lambda done, total, note: seen.append((done, total)))
    assert seen[-1] == (6, 6)


def test_reading_changes_nothing_in_the_image_folder(tmp_path, plate):
    before = {p: p.stat().st_mtime_ns for p in plate.rglob("*")}
    read(plate)
    assert {p: p.stat().st_mtime_ns for p in plate.rglob("*")} == before
