"""A finished run in another place: it opens, reports, and has nothing to do again."""

import json
import shutil

import pytest
from tests.faults.fault_runs import left_on_disk
from tests.plates import QUICK, treated, write_plate
from tests.worlds import wells
from typer.testing import CliRunner

import cellwise
from cellwise.app.cli import app
from cellwise.app.status import run_status

pytestmark = [pytest.mark.long, pytest.mark.slow]


def images_in(report):
    return report.read_text(encoding="utf-8").count("data:image")


def record(run):
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


def redone(run):
    """Steps that were done again; the page names labels and masks by their path, so it may be."""
    steps = {step["name"] for step in record(run)["steps"] if step["state"] != "reused"}
    return steps - {"report"}


@pytest.fixture
def place(plate, finished, tmp_path):
    """Images, labels and run, with their times, away from where the run was made."""
    here = tmp_path / "here"
    here.mkdir()
    shutil.copytree(plate / "images", here / "images")
    shutil.copy2(plate / "labels.csv", here / "labels.csv")
    shutil.copytree(finished.path, here / "run")
    return here


@pytest.fixture
def gone(place):
    """The same where the old place is no more: the record points at nothing."""
    for name in ("run.json", "reading.json"):
        content = json.loads((place / "run" / name).read_text(encoding="utf-8"))
        nowhere = "/nowhere/images"
        if name == "run.json":
            content["inputs"] |= {"folder": nowhere, "labels": "/nowhere/labels.csv"}
        else:
            content["images"] = nowhere
        (place / "run" / name).write_text(json.dumps(content), encoding="utf-8")
    return place


def resumed(place, images):
    return cellwise.run(
        images, labels=place / "labels.csv", out=place / "run", settings=QUICK, seed=3
    )


def test_moved_with_its_images_nothing_is_redone(gone):
    before = left_on_disk(gone / "run")
    resumed(gone, gone / "images")
    assert redone(gone / "run") == set()
    assert left_on_disk(gone / "run") == before
    assert record(gone / "run")["inputs"]["folder"] == str(gone / "images")


def test_moved_images_alone_leave_the_report_as_it_is(plate, gone, finished):
    shutil.copy(finished.path / "reading.json", gone / "run" / "reading.json")
    cellwise.run(
        gone / "images", labels=plate / "labels.csv", out=gone / "run", settings=QUICK, seed=3
    )
    assert {step["state"] for step in record(gone / "run")["steps"]} == {"reused"}


def test_moved_without_its_images_nothing_is_redone(plate, place):
    before = left_on_disk(place / "run")
    resumed(place, plate / "images")
    assert redone(place / "run") == set()
    assert left_on_disk(place / "run") == before


@pytest.fixture(scope="module")
def expected(finished):
    """How many images the report of the run shows where it was made."""
    return images_in(finished.rebuild_report())


def test_the_report_finds_the_images_beside_the_run(gone, expected):
    assert CliRunner().invoke(app, ["report", str(gone / "run")]).exit_code == 0
    assert images_in(gone / "run" / "report.html") == expected
    shutil.rmtree(gone / "images")
    assert CliRunner().invoke(app, ["report", str(gone / "run")]).exit_code == 0
    assert images_in(gone / "run" / "report.html") < expected


def test_the_report_of_a_run_that_was_moved_alone_finds_the_old_images(place, expected):
    shutil.rmtree(place / "images")
    assert CliRunner().invoke(app, ["report", str(place / "run")]).exit_code == 0
    assert images_in(place / "run" / "report.html") == expected


def test_status_and_tables_of_a_moved_run(gone, finished):
    assert run_status(gone / "run") == run_status(finished.path)
    assert cellwise.open_run(gone / "run").cells.equals(finished.cells)


def test_a_moved_run_is_applied(gone, plate, tmp_path):
    names = ["C04"]
    write_plate(tmp_path / "new", names, nuclear=treated)
    words = ["predict", str(gone / "run"), str(tmp_path / "new"), "--out", str(tmp_path / "p")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert cellwise.open_run(tmp_path / "p").cells.height > 0


def test_own_masks_may_move_too(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    write_plate(here / "images", wells(2), nuclear=treated)
    first = cellwise.run(here / "images", out=here / "first", recipe="segment-only")
    shutil.copytree(first.path / "masks", here / "masks")
    run = cellwise.run(
        here / "images", out=here / "run", recipe="segment-only", masks=here / "masks"
    )
    before = left_on_disk(run.path)
    here.rename(there)
    again = cellwise.run(
        there / "images", out=there / "run", recipe="segment-only", masks=there / "masks"
    )
    assert redone(again.path) == set()
    assert left_on_disk(again.path) == before


def test_a_labels_file_may_be_called_otherwise(plate, place):
    (place / "labels.csv").rename(place / "other.csv")
    cellwise.run(
        plate / "images", labels=place / "other.csv", out=place / "run", settings=QUICK, seed=3
    )
    assert redone(place / "run") == set()
