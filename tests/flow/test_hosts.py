"""A host that trains for a run that another one holds: it joins, works, never waits for ever."""

import threading
from pathlib import Path

import pytest

from cellwise import __version__
from cellwise.domain.steps import Job
from cellwise.errors import BadOption, Interrupted, PreflightError, UsageError
from cellwise.flow import hosts
from cellwise.learning import ranks
from cellwise.store.hosts import LEAD, HostFiles, call, host

FACTS = {"token": "t", "host": "first", "nodes": 2, "cellwise": __version__}


class Crew:
    """Stands for processes: refuses, or writes a file."""

    def __init__(self, work, arguments, seats):
        self.arguments = arguments

    def start(self):
        """Nothing to start."""

    def is_done(self, told, wait=0.0):
        fold = self.arguments[2]
        if fold == 1:
            raise BadOption("train: no.")
        told(2, 4, "epoch 1 of 2")
        return True

    def end(self):
        """Nothing to end."""


@pytest.fixture(scope="module", autouse=True)
def _imported():
    """What a host imports for its first training takes longer than the limits of these tests."""
    import cellwise.stages.train._model  # noqa: F401


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "_EVERY", 0.05)
    monkeypatch.setattr(hosts, "_POLL", 0.01)
    monkeypatch.setattr(hosts, "JOIN", 0.3)
    monkeypatch.setattr(hosts, "LEAD_SILENT", 0.4)
    monkeypatch.setattr(ranks, "Crew", Crew)
    return HostFiles(tmp_path)


def serve(tmp_path, said=None, fits=lambda job: None):
    said = [] if said is None else said
    hosts.serve(tmp_path, 1, fits=fits, say=said.append)
    return said


def beside(files, *signs, every=0.05):
    """Host 0, which gives these signs one after the other."""

    def give():
        for sign in signs:
            files.write(LEAD, {**FACTS, "python": hosts._python(), **sign})
            threading.Event().wait(every)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    return thread


def beats(count):
    return [{"beat": n} for n in range(count)]


def test_no_run_within_the_limit(tmp_path, files):
    with pytest.raises(PreflightError, match="Host 0 did not begin"):
        serve(tmp_path)
    # Nothing was written into a folder that is no run.
    assert not list(tmp_path.iterdir())


def test_a_sign_left_by_a_killed_run_is_not_joined(tmp_path, files):
    files.write(LEAD, {**FACTS, "python": hosts._python(), "beat": 7})
    with pytest.raises(PreflightError, match="Host 0 did not begin"):
        serve(tmp_path)


def test_the_end_of_the_run_is_the_end(tmp_path, files):
    beside(files, *beats(4), {"ended": True})
    assert "run that first holds" in serve(tmp_path)[-1]
    assert files.read(host(1))["state"] == "free"
    assert files.read(host(1))["beat"] == -1


def test_a_host_that_holds_the_run_and_falls_silent(tmp_path, files):
    beside(files, *beats(4))
    with pytest.raises(Interrupted, match="no sign"):
        serve(tmp_path)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"cellwise": "0.0.1"}, "has cellwise"),
        ({"python": "3.9"}, "Python 3.9"),
        ({"nodes": 1}, "counts 1 hosts"),
    ],
)
def test_other_versions_and_counts_are_refused(tmp_path, files, facts, words):
    beside(files, *[{**one, **facts} for one in beats(6)])
    with pytest.raises(PreflightError, match=words):
        serve(tmp_path)


@pytest.mark.parametrize(("fold", "state"), [(0, "done"), (1, "failed"), (2, "failed")])
def test_what_is_asked_is_done_and_told(tmp_path, files, fold, state):
    place = str(tmp_path)
    facts = {"run": place, "images": place, "name": "net", "options": {}, "key": "k", "seed": 0}
    words = {"kind": "train", "job": {**facts, "fitted": None}, "fold": fold, "part": ""}
    seats = {"devices": 1, "node": 0, "nodes": 1, "address": "127.0.0.1", "port": 0}
    files.write(call(1), {"token": "t", "call": 5, "words": words, "seats": seats})
    seen = []

    def fits(job):
        seen.append(job)
        if fold == 2:
            raise UsageError("No GPU here.")

    beside(files, *beats(20), {"ended": True})
    serve(tmp_path, fits=fits)
    said = files.read(host(1))
    assert (said["call"], said["state"]) == (5, state)
    assert seen == [Job(Path(tmp_path), Path(tmp_path), "net", {}, "k", 0)]
    if fold == 0:
        assert said["progress"] == [2, 4, "epoch 1 of 2"]
    else:
        assert said["kind"] == ("BadOption" if fold == 1 else "UsageError")


def test_the_process_that_holds_a_run_gives_signs_until_its_end(tmp_path, files):
    with hosts.leading(tmp_path, 2):
        first = files.read(LEAD)
        for _ in range(100):
            if files.read(LEAD)["beat"] > first["beat"]:
                break
            threading.Event().wait(0.02)
        assert files.read(LEAD)["beat"] > first["beat"]
    assert files.read(LEAD)["ended"]


def test_a_run_of_one_host_leaves_no_signs(tmp_path, files):
    with hosts.leading(tmp_path, 1):
        assert not files.read(LEAD)


@pytest.mark.parametrize(
    ("given", "around", "number"),
    [(None, {}, 0), (1, {}, 1), (None, {"SLURM_NODEID": "1"}, 1), (None, {"NODE_RANK": "1"}, 1),
     (0, {"SLURM_NODEID": "1"}, 0)],
)  # fmt: skip
def test_the_number_of_this_host(monkeypatch, given, around, number):
    for name in ("SLURM_NODEID", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    assert hosts.node_of(given, 2) == number


@pytest.mark.parametrize("given", [2, -1])
def test_a_number_beyond_the_hosts_is_refused(given):
    with pytest.raises(UsageError, match="numbers are 0 to 1"):
        hosts.node_of(given, 2)
