"""`cellwise clean` frees what can be made again, says so, and a resume makes it again."""

import json

import pytest
from filelock import FileLock
from tests.faults.fault_runs import Heard, left_on_disk, record, run, states
from tests.worlds import plate
from typer.testing import CliRunner

import cellwise
from cellwise.app.clean import clean_run
from cellwise.app.cli import app
from cellwise.errors import PreflightError, RunLocked


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("clean")
    images = plate(home / "images", 3)
    (images / "A03_GFP.png").unlink()
    run(images, home / "out.run")
    return home


@pytest.fixture
def home(made, tmp_path):
    import shutil

    return shutil.copytree(made, tmp_path / "home")


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_crops_and_work_go_and_everything_else_stays(home):
    out = home / "out.run"
    expected = {name: size_of(out / name) for name in ("crops", "work")}
    before = left_on_disk(out)
    done = clean_run(out)
    assert done.freed == expected
    assert not (out / "crops").exists()
    assert not (out / "work").exists()
    kept = {name: file for name, file in before.items() if not name.startswith("crops/")}
    assert left_on_disk(out) == kept
    assert done.redone == {"cells": "2 sites, from images and masks"}


def test_a_resume_redoes_what_was_said_and_nothing_else(home):
    out = home / "out.run"
    before = left_on_disk(out)
    said = clean_run(out).redone
    heard = Heard()
    run(home / "images", out, listener=heard)
    assert {name for name, state in states(out).items() if state == "done"} == set(said)
    assert heard.total["cells"] == 2
    assert left_on_disk(out) == before


def test_a_run_that_keeps_no_crops_says_the_truth_too(home):
    out = home / "out.run"
    run(home / "images", out, "cells.crops=false")
    said = clean_run(out).redone
    run(home / "images", out, "cells.crops=false")
    assert {name for name, state in states(out).items() if state == "done"} == set(said)
    assert record(out)["counts"]["cells"] > 0


def test_a_dry_run_deletes_nothing_and_says_the_same(home):
    out = home / "out.run"
    before = left_on_disk(out), size_of(out / "work")
    asked = clean_run(out, dry_run=True)
    assert (left_on_disk(out), size_of(out / "work")) == before
    assert asked == clean_run(out)


def test_what_is_said_on_the_screen(home):
    out = home / "out.run"
    total = size_of(out / "crops") + size_of(out / "work")
    asked = CliRunner().invoke(app, ["clean", str(out), "--dry-run"]).stdout
    assert f"would free {total:,} bytes" in asked
    done = CliRunner().invoke(app, ["clean", str(out)]).stdout
    assert f": freed {total:,} bytes (crops/ " in done
    assert "  cells: 2 sites, from images and masks" in done
    again = CliRunner().invoke(app, ["clean", str(out)])
    assert again.exit_code == 0
    assert "freed 0 bytes" in again.stdout
    assert "redoes nothing" in again.stdout


def test_a_run_that_was_stopped_says_what_of_segmenting_is_lost(home):
    out = home / "out.run"
    (out / "pixels.parquet").unlink()
    (out / "run.json").write_text(json.dumps({**record(out), "status": "interrupted"}))
    said = clean_run(out).redone
    assert said["segment"] == "2 sites"
    heard = Heard()
    run(home / "images", out, listener=heard)
    assert heard.total["segment"] == heard.total["cells"] == 2


def test_tables_of_a_cleaned_run_are_read(home):
    out = home / "out.run"
    before = cellwise.open_run(out).cells
    clean_run(out)
    assert cellwise.open_run(out).cells.equals(before)


def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path):
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "mine.npy").write_bytes(b"mine")
    with pytest.raises(PreflightError, match="holds no run"):
        clean_run(tmp_path)
    assert (tmp_path / "crops" / "mine.npy").exists()
    assert CliRunner().invoke(app, ["clean", str(tmp_path)]).exit_code != 0


def test_a_run_under_way_is_refused(home):
    out = home / "out.run"
    with FileLock(out / ".lock"), pytest.raises(RunLocked):
        clean_run(out)
    assert (out / "crops").is_dir()


def test_a_folder_that_is_a_link_is_not_followed(home, tmp_path):
    out = home / "out.run"
    (out / "crops").rename(tmp_path / "elsewhere")
    (out / "crops").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PreflightError, match="by hand"):
        clean_run(out)
    assert any((tmp_path / "elsewhere").iterdir())
