"""Hosts that share trainings: each is done once, and one that is lost costs itself."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cellwise.errors import BadOption, Interrupted
from cellwise.learning import _others, hosts
from cellwise.learning.hosts import Sharing, Training, share_out
from cellwise.store.hosts import LEAD, HostFiles, Silence, call, host

TOKEN = "t"


class Quick:
    """Stands for the processes of this host: writes who did the work, at once."""

    def __init__(self, work, arguments, seats):
        self.arguments, self.seats = arguments, seats

    def start(self):
        Path(self.arguments[0]).write_text("here")

    def is_done(self, told, wait=0.0):
        told(1, 1, "done")
        return True

    def end(self):
        """Nothing is left."""


class Other(threading.Thread):
    """Another host that does what it is asked, or does not."""

    def __init__(self, run, number, answer):
        super().__init__(daemon=True)
        self.files, self.number, self.answer = HostFiles(run), number, answer
        self.over, self.asked = threading.Event(), []

    def run(self):
        beat, sign = 0, {"token": TOKEN, "host": "far", "state": "free"}
        while not self.over.wait(0.01):
            beat += 1
            found = self.files.read(call(self.number))
            if found.get("words") and found["call"] not in self.asked:
                self.asked.append(found["call"])
                said = self.answer(found)
                if said is None:
                    return
                sign |= {"call": found["call"], **said}
            self.files.write(host(self.number), {**sign, "beat": beat})


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "POLL", 0.02)
    monkeypatch.setattr(_others, "POLL", 0.02)
    monkeypatch.setattr(_others, "SILENT", 0.5)
    monkeypatch.setattr(hosts, "SILENT", 0.5)
    monkeypatch.setattr(hosts, "JOIN", 5.0)
    monkeypatch.setattr(hosts, "SEEN", 0.3)
    monkeypatch.setattr(_others, "Crew", Quick)
    files = HostFiles(tmp_path)
    files.write(LEAD, {"token": TOKEN, "host": socket.gethostname(), "beat": 1})
    return files


def shared(tmp_path, files, count, nodes=2, network=False):
    told = []
    models = [tmp_path / f"model{n}" for n in range(count)]
    trainings = [
        Training(print, (str(path),), {"path": str(path)}, path.is_file) for path in models
    ]
    sharing = Sharing(files, nodes, 1, network, lambda *content: told.append(content))
    return models, told, lambda: share_out(trainings, sharing)


def writes(found):
    time.sleep(0.05)
    Path(found["words"]["path"]).write_text("there")
    return {"state": "done", "progress": [1, 1, "done"]}


def test_each_training_is_done_once_and_by_both(tmp_path, files):
    other = Other(tmp_path, 1, writes)
    other.start()
    models, told, work = shared(tmp_path, files, 7)
    assert work() == {"hosts": 2, "hosts_lost": 0}
    other.over.set()
    by = [model.read_text() for model in models]
    assert set(by) == {"here", "there"}
    assert by.count("there") == len(other.asked)
    assert {number for number, *_ in told} >= set(range(7))


def test_a_host_that_gives_no_sign_costs_itself(tmp_path, files):
    other = Other(tmp_path, 1, lambda found: None)
    other.start()
    models, told, work = shared(tmp_path, files, 3)
    assert work() == {"hosts": 2, "hosts_lost": 1}
    assert [model.read_text() for model in models] == ["here"] * 3
    assert any("host 1 (far) gave no sign" in note for *_, note in told)


def test_hosts_that_never_come_are_waited_for_and_no_longer(tmp_path, files, monkeypatch):
    monkeypatch.setattr(hosts, "JOIN", 0.2)
    models, told, work = shared(tmp_path, files, 2)
    assert work() == {"hosts": 1, "hosts_lost": 0}
    assert all(model.is_file() for model in models)
    assert "waits for 1 of 2 hosts" in told[0][-1]


def test_signs_of_an_earlier_run_count_for_nothing(tmp_path, files, monkeypatch):
    monkeypatch.setattr(hosts, "JOIN", 0.2)
    files.write(host(1), {"token": "older", "host": "far", "beat": 3, "state": "free"})
    _, _, work = shared(tmp_path, files, 2)
    assert work()["hosts"] == 1


@pytest.mark.parametrize(("kind", "error"), [("BadOption", BadOption), ("OSError", Interrupted)])
def test_what_a_training_refuses_there_is_refused_here(tmp_path, files, kind, error):
    said = {"state": "failed", "kind": kind, "error": "The loss became infinite."}
    other = Other(tmp_path, 1, lambda found: said)
    other.start()
    _, _, work = shared(tmp_path, files, 4)
    with pytest.raises(error, match=r"host 1 \(far\): The loss became infinite"):
        work()
    other.over.set()


def test_a_model_that_is_not_seen_here_is_no_model(tmp_path, files):
    other = Other(tmp_path, 1, lambda found: {"state": "done"})
    other.start()
    _, _, work = shared(tmp_path, files, 3)
    with pytest.raises(Interrupted, match="not seen here"):
        work()
    other.over.set()


def test_one_training_is_not_shared_over_a_network_unless_that_is_allowed(tmp_path, files):
    other = Other(tmp_path, 1, writes)
    other.start()
    models, told, work = shared(tmp_path, files, 1)
    work()
    assert any("no --insecure-cluster" in note for *_, note in told)
    assert models[0].read_text() == "here"
    models[0].unlink()
    *_, work = shared(tmp_path, files, 1, network=True)
    work()
    other.over.set()
    # Both were asked, and told where they are among all.
    assert other.asked


def test_of_one_training_all_are_told_their_places_and_go_on_without_one_that_is_lost(
    tmp_path, files
):
    seats = []

    def dies(found):
        seats.append(found["seats"])

    other = Other(tmp_path, 1, dies)
    other.start()
    models, _, work = shared(tmp_path, files, 1, network=True)
    assert work() == {"hosts": 2, "hosts_lost": 1}
    (seat,) = seats
    assert (seat["node"], seat["nodes"], seat["devices"]) == (1, 2, 1)
    assert seat["address"] == socket.gethostname()
    assert models[0].read_text() == "here"


def test_silence_is_counted_by_the_own_clock(monkeypatch):
    now = iter([5.0, 5.5, 5.5, 5.75, 7.0, 7.0]).__next__
    monkeypatch.setattr("cellwise.store.hosts.time", SimpleNamespace(monotonic=now))
    silence = Silence()
    assert silence.seconds(1) == 0
    assert silence.seconds(1) == 0.25
    assert silence.seconds(2) == 0


def test_a_process_of_this_machine_that_is_gone_is_seen_at_once(tmp_path, files, monkeypatch):
    monkeypatch.setattr(_others, "SILENT", 60.0)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    facts = {"token": TOKEN, "host": socket.gethostname(), "pid": ended.pid, "beat": 1}
    files.write(host(1), facts)
    monkeypatch.setattr(hosts, "JOIN", 0.1)
    _, _, work = shared(tmp_path, files, 2)
    assert work()["hosts"] == 1
