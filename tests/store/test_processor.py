"""Cores, load and threads, and how threads are told to wait."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cellwise.store import processor
from cellwise.store.processor import (
    count_cores,
    keep_to_one_thread,
    look_at_processor,
    wait_passively,
)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of so many cores, of which some are ours, at this load."""

    def make(cores, ours, load, quota=""):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(ours)), raising=False)
        monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
        monkeypatch.setattr(processor, "_QUOTA", tmp_path / "cpu.max")
        monkeypatch.setattr(processor, "_OLD_QUOTA", tmp_path / "none")
        (tmp_path / "cpu.max").write_text(quota)

    return make


@pytest.mark.parametrize(
    ("cores", "ours", "load", "threads"),
    [
        (2, 2, 0.0, 2),
        (2, 2, 0.4, 2),
        (2, 2, 1.1, 1),
        (2, 2, 9.0, 1),
        (64, 64, 40.0, 2),
        (64, 2, 40.0, 1),
        (1, 1, 0.0, 1),
    ],
)
def test_threads_are_as_many_as_cores_are_free(machine, cores, ours, load, threads):
    machine(cores, ours, load)
    found = look_at_processor()
    assert (found.cores, found.load, found.threads) == (ours, load, threads)
    assert f"load {load:.1f}" in found.why


@given(
    cores=some.integers(1, 256),
    share=some.floats(0.001, 1),
    load=some.floats(0, 1000),
    more=some.floats(0, 100),
    most=some.integers(1, 64),
)
def test_threads_stay_within_the_cores_and_fall_with_the_load(cores, share, load, more, most):
    ours = max(1, int(cores * share))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OMP_NUM_THREADS", raising=False)
        patch.setattr(os, "cpu_count", lambda: cores)
        patch.setattr(processor, "count_cores", lambda: ours)
        seen = []
        for busy in (load, load + more):
            patch.setattr(os, "getloadavg", lambda busy=busy: (busy, 0.0, 0.0), raising=False)
            seen.append(look_at_processor(most).threads)
    assert 1 <= seen[1] <= seen[0] <= min(most, ours)


@pytest.mark.parametrize(("said", "threads"), [("1", 1), ("2", 2), ("8,2", 2), ("x", 2), ("0", 2)])
def test_the_users_own_number_is_kept_to(machine, monkeypatch, said, threads):
    machine(16, 16, 0.0)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert look_at_processor().threads == threads


def test_an_unknown_load_counts_as_none(machine, monkeypatch):
    machine(4, 4, 0.0)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    found = look_at_processor()
    assert (found.load, found.threads) == (None, 2)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("150000 100000", 1), ("max 100000", 8), ("", 8), ("50000 100000", 1)],
)
def test_a_container_is_granted_so_many_cores(machine, quota, cores):
    machine(32, 8, 0.0, quota)
    assert count_cores() == cores


def test_the_quota_of_older_containers(machine, monkeypatch, tmp_path):
    machine(32, 8, 0.0)
    monkeypatch.setattr(processor, "_OLD_QUOTA", tmp_path)
    (tmp_path / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    assert count_cores() == 3
    (tmp_path / "cpu.cfs_quota_us").write_text("-1\n")
    assert count_cores() == 8


def test_threads_wait_passively_unless_the_user_says_how():
    told: dict[str, str] = {}
    wait_passively(told)
    assert told == {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
    for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT"):
        own = {name: "ACTIVE"}
        wait_passively(own)
        assert own == {name: "ACTIVE"}


def test_the_users_own_threads_stay_in_workers():
    told = {"OMP_NUM_THREADS": "3"}
    keep_to_one_thread(told)
    assert told["OMP_NUM_THREADS"] == "3"
    assert told["POLARS_MAX_THREADS"] == told["NUMBA_NUM_THREADS"] == "1"
