"""The process that learns is the run's own recipe; it is watched, stopped, and ends with us."""

import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from cellwise.app.view.learning.process import Learning
from cellwise.errors import PreflightError
from cellwise.flow.pipeline.lock import locked

_WAITS = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('stopped') or 5))\n"
    "print('learning', sys.argv[1:]); sys.stdout.flush()\n"
    "time.sleep(60)"
)


@pytest.fixture
def made():
    """Makes what learns, with a command of these lines in place of ours."""
    found = []

    def make(run, text):
        found.append(Learning(run, [sys.executable, "-c", text]))
        return found[-1]

    yield make
    for one in found:
        one.close()


@pytest.fixture
def run(own_run):
    record = json.loads((own_run / "run.json").read_text())
    record["inputs"] = {"folder": str(own_run.parent), "fitted": None}
    record["recipe"] = {"name": "x", "steps": [{"kind": "label", "name": "shown", "options": {}}]}
    (own_run / "run.json").write_text(json.dumps(record))
    return own_run


def until(learning, word):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if learning.state()["state"] == word:
            return learning.state()
        time.sleep(0.02)
    raise AssertionError(learning.state())


def test_it_is_started_on_the_recorded_folder_with_the_desks_verdicts_and_stops(run, made):
    learning = made(run, _WAITS)
    assert learning.state()["state"] == "idle"
    learning.start("ann", random_teaches=False)
    with pytest.raises(PreflightError, match="learning already"):
        learning.start("bob", random_teaches=False)
    state = until(learning, "running")
    deadline = time.monotonic() + 20
    while not state["lines"] and time.monotonic() < deadline:
        state = learning.state()
    told = "".join(state["lines"])
    for word in (f"'{run.parent}'", f"'{run}'", "annotations.parquet", "hold_out_random=true"):
        assert word in told
    assert state["who"] == "ann"
    learning.stop()
    assert until(learning, "stopped")["lines"][-1] == "stopped"


@pytest.mark.parametrize(
    ("options", "said", "audited", "ends"),
    [
        ({}, False, None, []),
        ({"audited": "temperature"}, True, None, ["decide.annotations=TABLE"]),
        ({"annotations": "old.csv"}, True, None, ["decide.annotations=TABLE"]),
        ({"audited": "temperature"}, True, False, ["decide.annotations="]),
        ({}, False, True, ["decide.annotations=TABLE"]),
    ],
)
def test_probabilities_are_fitted_to_the_draw_where_the_recipe_or_the_page_says_so(
    run, made, options, said, audited, ends
):
    record = json.loads((run / "run.json").read_text())
    record["recipe"]["steps"] += [
        {"kind": "decide", "name": "control", "options": {}},
        {"kind": "decide", "name": "decide", "options": options},
    ]
    (run / "run.json").write_text(json.dumps(record))
    learning = made(run, "")
    assert learning.audits() == said
    words = learning.words(audited=audited)
    table = str(run / "annotations" / "annotations.parquet")
    found = [word.replace(table, "TABLE") for word in words if ".annotations=" in word]
    assert found == ["label.annotations=TABLE", *ends]


def test_ends_are_told_apart_and_what_was_written_is_shown(run, made):
    learning = made(run, "print('all well')")
    learning.start("", random_teaches=True)
    assert until(learning, "done")["lines"] == ["all well"]
    failing = made(run, "import sys; print('no space left'); sys.exit(4)")
    failing.start("", random_teaches=True)
    assert until(failing, "failed")["lines"] == ["no space left"]


def test_what_the_page_started_ends_with_it(run, made):
    learning = made(run, "import time; time.sleep(60)")
    learning.start("", random_teaches=False)
    learning.close()
    assert learning.state()["state"] == "stopped"


def test_a_run_in_use_is_not_started_twice(run, made):
    learning = made(run, "")
    with locked(run):
        assert learning.state()["state"] == "elsewhere"
        with pytest.raises(PreflightError, match="in use by process"):
            learning.start("", random_teaches=False)
    assert learning.state()["state"] == "idle"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.update(recipe={"steps": [{"kind": "segment"}]}), "no step 'label'"),
        (lambda r: r["inputs"].update(fitted="/other.run"), "applies the models of another"),
        (lambda r: r["inputs"].update(folder="/gone/<b>"), "images of this run are gone"),
    ],
)
def test_why_a_run_cannot_learn(run, made, change, words):
    record = json.loads((run / "run.json").read_text())
    change(record)
    (run / "run.json").write_text(json.dumps(record))
    reading = json.loads((run / "reading.json").read_text())
    (run / "reading.json").write_text(json.dumps(reading | {"images": "/gone/too"}))
    learning = made(run, "")
    assert words in learning.closed()
    with pytest.raises(PreflightError):
        learning.start("", random_teaches=False)


def test_a_folder_without_a_record_cannot_learn(tmp_path, made, shown_run):
    bare = Path(shutil.copytree(shown_run.run, tmp_path / "bare.run"))
    (bare / "run.json").unlink()
    assert "no run.json" in made(bare, "").closed()


def test_how_far_it_is_stands_in_the_log(run, made):
    events = [
        {"event": "started"},
        {"event": "step", "kind": "read"},
        {"event": "step", "kind": "train"},
        {"event": "started"},
        {"event": "step", "kind": "read"},
        {"event": "step_started", "step": "train cell", "total": 0},
        {"event": "progress", "step": "train cell", "done": 1, "total": 3},
    ]
    text = "".join(json.dumps(event) + "\n" for event in events)
    (run / "log.jsonl").write_text(text + '{"event": "step"')
    with locked(run):
        progress = made(run, "").state()["progress"]
    assert progress == {"steps": 1, "behind": 1, "step": "train cell", "done": 1, "total": 3}
