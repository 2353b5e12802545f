import json
import os
import subprocess
import sys
import threading
import time

import pytest

from cellwise.errors import RunLocked
from cellwise.flow.pipeline import lock
from cellwise.flow.pipeline.lock import holder_elsewhere, locked

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom cellwise.flow.pipeline.lock import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_a_second_process_is_told_who_holds_the_run(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(RunLocked, match=f"process {holder.pid} on"):
            locked(tmp_path).__enter__()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(tmp_path):
        pass


def test_the_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with locked(tmp_path):
            pass


def elsewhere(folder, silent=0.0):
    """What a holder on another host leaves, whose lock is not seen here."""
    path = folder / ".lock.json"
    path.write_text(json.dumps({"pid": 7, "host": "far"}))
    sign = time.time() - silent
    os.utime(path, (sign, sign))
    return path


def test_a_holder_on_another_host_that_gives_signs_is_no_lost_one(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_SIGN", 0.1)
    monkeypatch.setattr(lock, "SILENT", 4.0)
    path = elsewhere(tmp_path)
    signs = threading.Timer(0.3, os.utime, [path])
    signs.start()
    with pytest.raises(RunLocked, match="in use by process 7 on far, though its lock is free"):
        locked(tmp_path).__enter__()
    signs.join()


def test_a_holder_on_another_host_that_gives_none_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "SILENT", 0.4)
    elsewhere(tmp_path)
    with locked(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["pid"] == os.getpid()


def test_the_holder_gives_signs_while_it_works(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_SIGN", 0.02)
    with locked(tmp_path):
        path = tmp_path / ".lock.json"
        first, begun = path.stat().st_mtime_ns, time.monotonic()
        while path.stat().st_mtime_ns == first:
            assert time.monotonic() - begun < 10
            time.sleep(0.01)
        assert holder_elsewhere(tmp_path) == {}
    assert not path.exists()


def test_for_how_long_another_host_has_been_silent(tmp_path):
    elsewhere(tmp_path, silent=90)
    found = holder_elsewhere(tmp_path)
    assert (found["host"], found["pid"]) == ("far", 7)
    assert found["silent"] == pytest.approx(90, abs=5)
    # Its clock is ahead of ours.
    elsewhere(tmp_path, silent=-300)
    assert holder_elsewhere(tmp_path)["silent"] == 0.0
