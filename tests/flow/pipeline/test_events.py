"""What `log.jsonl` holds for who operates a cluster: each batch, each warning, nothing twice."""

import json

from tests.faults.fault_runs import run
from tests.worlds import plate

from cellwise.flow.pipeline import events
from cellwise.flow.pipeline.events import LOG, EventLog, Logged, Silent


def lines(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_each_batch_of_sites_is_noted(tmp_path):
    told = Logged(Silent(), EventLog(tmp_path / LOG))
    told.step_started("segment", total=5, unit="site", why="3 new")
    told.step_advanced(0, total=5, note="")
    for done in (2, 4, 5):
        told.step_advanced(done, total=5, note="")
    started, *batches = lines(tmp_path)
    assert (started["event"], started["step"], started["why"]) == (
        "step_started",
        "segment",
        "3 new",
    )
    assert [(one["event"], one["units"], one["done"]) for one in batches] == [
        ("batch", 2, 2), ("batch", 2, 4), ("batch", 1, 5)
    ]  # fmt: skip
    assert all(one["seconds"] >= 0 and one["time"].endswith("+00:00") for one in batches)


def test_of_a_training_a_line_now_and_then(tmp_path, monkeypatch):
    told = Logged(Silent(), EventLog(tmp_path / LOG))
    told.step_started("train net", total=0, unit="", why="")
    for done in range(1, 1000):
        told.step_advanced(done, total=3000, note=f"epoch {done}")
    assert len(lines(tmp_path)) == 1
    monkeypatch.setattr(events, "_EVERY", 0.0)
    told.step_advanced(1000, total=3000, note="epoch 1000")
    assert lines(tmp_path)[-1]["note"] == "epoch 1000"


def test_a_disk_that_takes_no_line_stops_no_work(tmp_path):
    (tmp_path / "file").write_text("where the folder should be")
    heard = []

    class Hears(Silent):
        def message(self, text):
            heard.append(text)

    told = Logged(Hears(), EventLog(tmp_path / "file" / LOG))
    told.message("A worker process was lost.")
    assert heard == ["A worker process was lost."]


def test_a_run_notes_steps_batches_and_what_it_says(tmp_path):
    images = plate(tmp_path / "images", 3)
    run(images, tmp_path / "out.run")
    found = lines(tmp_path / "out.run")
    assert found[0]["event"] in {"message", "started"}
    batches = [one for one in found if one["event"] == "batch" and one["step"] == "segment"]
    assert sum(one["units"] for one in batches) == 3
    assert [one["kind"] for one in found if one["event"] == "step"] == ["read", "segment", "cells"]
