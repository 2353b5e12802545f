"""`cellwise status` only looks, whatever state the folder is in."""

import json
import os
import time

import pytest
from filelock import FileLock
from tests.faults.fault_runs import record, run
from tests.worlds import plate
from typer.testing import CliRunner

from cellwise.app.cli import app
from cellwise.app.cli.status import how_far
from cellwise.app.status import run_status
from cellwise.errors import CellwiseError, PreflightError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("status")
    images = plate(home / "images", 3)
    (images / "A03_GFP.png").unlink()
    run(images, home / "out.run")
    return home / "out.run"


@pytest.fixture
def out(made, tmp_path):
    import shutil

    shutil.copytree(made, tmp_path / "out.run")
    return tmp_path / "out.run"


def test_a_finished_run(out):
    facts = run_status(out)
    assert facts["status"] == "done"
    assert facts["quarantined"] == facts["fields_set_aside"] == 1
    assert [(s["name"], s["state"], s["sites"]) for s in facts["steps"]] == [
        ("read", "done", 0),
        ("segment", "done", 2),
        ("cells", "done", 2),
    ]


def test_a_run_that_says_running_without_a_holder_was_killed(out):
    content = {**record(out), "status": "running"}
    (out / "run.json").write_text(json.dumps(content))
    assert run_status(out)["status"] == "killed (the same command resumes)"
    with FileLock(out / ".lock"):
        pass


@pytest.mark.parametrize(("silent", "said"), [(5, "running"), (600, "killed on far 10 min ago")])
def test_a_run_held_on_another_host_whose_lock_is_not_seen_here(out, silent, said):
    (out / "run.json").write_text(json.dumps({**record(out), "status": "running"}))
    (out / ".lock.json").write_text(json.dumps({"pid": 7, "host": "far"}))
    sign = time.time() - silent
    os.utime(out / ".lock.json", (sign, sign))
    facts = run_status(out)
    assert facts["status"].startswith(said)
    shown = CliRunner().invoke(app, ["status", str(out)]).output
    if said == "running":
        assert facts["holder"]["host"] == "far"
        assert "held by process 7 on far" in shown
    else:
        assert facts["holder"] is None


def test_looking_changes_nothing(out):
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}
    run_status(out)
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name != ".lock"}
    assert after == before


def test_a_result_that_is_being_made_again_does_not_count(out):
    with (out / "done" / "segment.jsonl").open("a") as handle:
        handle.write('{"site": "A01", "key": "", "counts": {}, "shard": "", "error": null}\n{"tor')
    assert run_status(out)["steps"][1]["sites"] == 1


def test_the_screen_and_the_data_say_the_same(out):
    screen = CliRunner().invoke(app, ["status", str(out)])
    data = CliRunner().invoke(app, ["status", str(out), "--json"])
    assert screen.exit_code == data.exit_code == 0
    assert json.loads(data.stdout)["status"] == "done"
    assert "segment" in screen.stdout
    assert "set aside: 1" in screen.stdout


@pytest.mark.parametrize("content", ["{}", '{"status": "running"}', "", "[1]"])
def test_a_foreign_record_is_refused_with_words(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(CellwiseError) as caught:
        run_status(tmp_path)
    assert caught.value.exit_code == 4


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(PreflightError, match="holds no run"):
        run_status(tmp_path)


def test_a_run_under_way_says_step_rate_and_time_left(out):
    content = record(out)
    content = {**content, "status": "running", "steps": content["steps"][:1]}
    (out / "run.json").write_text(json.dumps(content))
    told = {"step": "cells", "unit": "site", "done": 30, "total": 400, "note": "A02", "rate": 2.5}
    (out / "work" / "progress.json").write_text(json.dumps({**told, "seconds_left": 148.0}))
    with FileLock(out / ".lock"):
        facts = run_status(out)
        shown = CliRunner().invoke(app, ["status", str(out)]).output
    assert [step["state"] for step in facts["steps"]] == ["done", "waiting", "running"]
    assert facts["progress"]["rate"] == 2.5
    assert facts["progress"]["epoch"] is None
    assert "30 of 400 sites · 2.5 per second · 2 min 28 s left · A02" in shown
    assert run_status(out)["progress"] is None, "nobody works there"


def test_a_training_says_its_model_and_epoch_and_a_share(out):
    line = how_far(
        {
            "unit": "",
            "done": 1,
            "total": 4,
            "rate": 3.0,
            "seconds_left": 5.0,
            "note": "epoch 1 of 2",
        }
    )
    assert line == "25% · 5.0 s left · epoch 1 of 2"
