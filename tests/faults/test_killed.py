"""Real processes: killed, interrupted, started twice. The same command then ends as undisturbed."""

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from tests.faults.fault_runs import (
    child,
    command,
    here,
    left_on_disk,
    partial_files,
    record,
    records,
    run,
    wait_for,
    words,
)
from tests.worlds import plate


def facts(pid):
    """State and parent of a process; dead ones have the state X."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "X", 0
    state, parent, *_ = text.rpartition(")")[2].split()
    return state, int(parent)


def children_of(pid):
    """Processes whose parent is `pid`, with their children."""
    everybody = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    own = [other for other in everybody if facts(other)[1] == pid]
    return [*own, *(below for other in own for below in children_of(other))]


def alive(pid):
    return facts(pid)[0] not in "ZX"


def gone(pids, *, within=20.0):
    end = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(alive, pids))


def said(log):
    return log.read_text(encoding="utf-8", errors="replace")


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc, as on Linux"
)


@pytest.mark.parametrize(
    ("step", "count"),
    [
        ("segment", 1),
        *(pytest.param(*p, marks=pytest.mark.long) for p in (("segment", 4), ("cells", 2))),
    ],
)
def test_kill_in_the_middle_of_a_step(still_plate, undisturbed, tmp_path, step, count):
    out = tmp_path / "out.run"
    with child(words(still_plate, out), tmp_path / "log") as process:
        assert wait_for(lambda: records(out, step) >= count, process)
        process.kill()
        process.wait()
    assert record(out)["status"] == "running"
    assert run(still_plate, out).exit_code == 0
    assert left_on_disk(out) == undisturbed
    assert partial_files(out) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        *(pytest.param(seconds, marks=pytest.mark.long) for seconds in (0.3, 1.9, 2.9)),
        *(pytest.param(seconds, marks=pytest.mark.slow) for seconds in (1.1, 2.4, 3.6)),
    ],
)
def test_kill_at_any_time(still_plate, undisturbed, tmp_path, moment):
    out = tmp_path / "out.run"
    with child(words(still_plate, out), tmp_path / "log") as process:
        time.sleep(moment)
        process.kill()
        process.wait()
    assert run(still_plate, out).exit_code == 0
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
def test_workers_of_a_killed_run_end_by_themselves(still_plate, undisturbed, tmp_path):
    out = tmp_path / "out.run"
    with child(words(still_plate, out, workers=2), tmp_path / "log") as process:
        assert wait_for(lambda: records(out, "segment") >= 1, process)
        helpers = children_of(process.pid)
        process.kill()
        process.wait()
    assert len(helpers) >= 2
    assert gone(helpers)
    assert run(still_plate, out).exit_code == 0
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_worker_costs_nothing(still_plate, undisturbed, tmp_path):
    out = tmp_path / "out.run"
    with child(words(still_plate, out, workers=2), tmp_path / "log") as process:
        assert wait_for(lambda: len(children_of(process.pid)) >= 3, process)
        os.kill(children_of(process.pid)[-1], signal.SIGKILL)
        assert process.wait() == 0, said(tmp_path / "log")
    assert left_on_disk(out) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, 2),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_with_5_and_the_same_command_goes_on(tmp_path, number, workers):
    images = plate(tmp_path / "images", 30)
    out, log = tmp_path / "out.run", tmp_path / "log"
    with child(words(images, out, workers=workers), log, start_new_session=True) as process:
        assert wait_for(lambda: records(out, "segment") >= 1, process)
        helpers = children_of(process.pid)
        # Ctrl-C and batch systems signal the whole group, and impatient people do it twice.
        os.killpg(process.pid, number)
        if process.poll() is None:
            process.send_signal(number)
        assert process.wait() == 5, said(log)
    assert gone(helpers)
    assert "Interrupted. The same command continues from here." in said(log)
    assert "Traceback" not in said(log)
    assert record(out)["status"] == "interrupted"
    assert record(out)["finished"] is not None
    run(images, out)
    run(images, tmp_path / "other.run")
    assert left_on_disk(out) == left_on_disk(tmp_path / "other.run")


def test_a_signal_during_the_start_ends_with_5(still_plate, tmp_path):
    log = tmp_path / "log"
    with child(words(still_plate, tmp_path / "out.run", workers=2), log) as process:
        # Half a second is in the middle of importing.
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        assert process.wait() in (5, -signal.SIGINT), said(log)


def test_a_second_run_is_told_who_holds_the_folder_and_status_may_look(still_plate, tmp_path):
    out = tmp_path / "out.run"
    with child(words(still_plate, out), tmp_path / "log") as process:
        assert wait_for(lambda: (out / "run.json").is_file(), process)
        process.send_signal(signal.SIGSTOP)
        try:
            second = here(words(still_plate, out))
            looked = here(command("status", out, "--json"))
        finally:
            process.send_signal(signal.SIGCONT)
        assert process.wait() == 0, said(tmp_path / "log")
    assert second.returncode == 4
    assert f"is locked by process {process.pid} on {socket.gethostname()}" in second.stderr
    assert "Traceback" not in second.stderr
    assert looked.returncode == 0
    assert json.loads(looked.stdout)["status"] == "running"
