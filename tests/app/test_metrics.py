"""Metrics of a run: what `status` says, read back by the parser of Prometheus."""

import json
import re
import socket
import threading
import urllib.request

import pytest
from tests.faults.fault_runs import record, run
from tests.worlds import plate
from typer.testing import CliRunner

from cellwise.app import metrics
from cellwise.app.cli import app
from cellwise.app.status import run_status
from cellwise.errors import PreflightError

parser = pytest.importorskip("prometheus_client.parser", reason="the extra prometheus is not here")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    home = tmp_path_factory.mktemp("metrics")
    images = plate(home / "images", 3)
    (images / "A03_GFP.png").unlink()
    run(images, home / "out.run")
    return home / "out.run"


def numbers(text):
    """Value of each metric by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_finished_run_in_numbers(out):
    found = numbers(CliRunner().invoke(app, ["status", str(out), "--metrics"]).output)
    assert found["cellwise_up",] == 1
    assert found["cellwise_run_state", "done"] == 1
    assert sum(value for key, value in found.items() if key[0] == "cellwise_run_state") == 1
    assert found["cellwise_step_state", "done", "segment"] == 1
    assert found["cellwise_step_state", "segment", "waiting"] == 0
    assert found["cellwise_step_sites_done", "segment"] == 2
    assert found["cellwise_fields_set_aside",] == 1
    seconds = {step["name"]: step["seconds"] for step in record(out)["steps"]}
    assert found["cellwise_step_seconds", "segment"] == pytest.approx(seconds["segment"])


def test_a_run_under_way_says_how_far_it_is(out, tmp_path, monkeypatch):
    facts = {
        **run_status(out),
        "status": "running",
        "holder": {"host": "far", "pid": 7, "silent": 3.5},
        "progress": {"step": "cells", "done": 5, "total": 20, "seconds_left": 60.0, "epoch": None},
    }
    monkeypatch.setattr("cellwise.app.metrics.run_status", lambda _: facts)
    found = numbers(metrics.metrics_text(out))
    assert found["cellwise_run_state", "running"] == 1
    assert found["cellwise_progress_done", "cells"] == 5
    assert found["cellwise_progress_total", "cells"] == 20
    assert found["cellwise_progress_seconds_left", "cells"] == 60
    assert ("cellwise_progress_epoch", "cells") not in found
    assert found["cellwise_holder_silent_seconds",] == 3.5


def test_it_is_served_until_interrupted_and_says_so_where_the_run_is_gone(out, capfd, monkeypatch):
    asked, answers = threading.Event(), []
    record_of = (out / "run.json").read_text(encoding="utf-8")

    def look(_):
        address = re.search(r"http://127\.0\.0\.1:\d+/metrics", capfd.readouterr().out)[0]
        answers.append(urllib.request.urlopen(address, timeout=10).read().decode())
        (out / "run.json").unlink()
        answers.append(urllib.request.urlopen(address, timeout=10).read().decode())
        asked.set()
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", look)
    try:
        metrics.serve_metrics(out, 0)
    finally:
        (out / "run.json").write_text(record_of, encoding="utf-8")
    assert asked.is_set()
    assert numbers(answers[0])["cellwise_run_state", "done"] == 1
    assert numbers(answers[1]) == {("cellwise_up",): 0}


def test_what_cannot_be_served_is_said(out, tmp_path):
    with pytest.raises(PreflightError, match="not a run folder"):
        metrics.metrics_text(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PreflightError, match="--metrics-port"):
            metrics.serve_metrics(out, taken.getsockname()[1])
    both = CliRunner().invoke(app, ["status", str(out), "--metrics", "--json"])
    assert both.exit_code != 0
    assert json.loads(CliRunner().invoke(app, ["status", str(out), "--json"]).output)
