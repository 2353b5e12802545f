"""Two servers on one run, and one of them killed while it saves: what was answered is there."""

import os
import re
import signal
import subprocess
import sys
import time
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from cellwise.app.view.desk import desk as desk_module
from cellwise.domain.tables import ANNOTATIONS
from cellwise.store.annotations import saves
from cellwise.store.annotations.saves import annotations
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

EACH = 60


class Server:
    """`cellwise view RUN --edit` as a process, and a visitor of it."""

    def __init__(self, run, who):
        words = [sys.executable, "-m", "cellwise", "view", str(run), "--edit", "--no-browser"]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"(http://127\.0\.0\.1:\d+)/\?token=(\S+)", line)
        assert found is not None, line
        headers = {"Authorization": f"Bearer {found[2]}", "X-Cellwise-Name": who}
        self.visitor = httpx.Client(base_url=found[1], headers=headers, timeout=30, trust_env=False)
        self.cells = self.visitor.get("/api/desk").json()["cells"]

    def save(self, number, row, verdict) -> bool:
        """Whether the save was answered."""
        sent = {"id": f"{number:016x}", "rows": [row], "said": {"inside": verdict}}
        try:
            answer = self.visitor.post("/api/desk/save", json={**sent, "cells": self.cells})
        except httpx.TransportError:
            return False
        assert answer.status_code == 200, answer.text
        return True

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)

    def close(self):
        self.visitor.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


def judge(server: Server, first: int, answered: dict[int, Any], verdict: str) -> None:
    for number in range(first, first + EACH):
        if server.save(number, number % 100, verdict):
            answered[number] = (number % 100, verdict)


@pytest.mark.slow
def test_two_servers_one_killed_while_it_saves_lose_nothing_that_was_answered(own_run):
    ann, bob = Server(own_run, "ann"), Server(own_run, "bob")
    answered: dict[str, dict[int, Any]] = {"ann": {}, "bob": {}}
    try:
        threads = [
            Thread(target=judge, args=(ann, 1000, answered["ann"], "yes")),
            Thread(target=judge, args=(bob, 2000, answered["bob"], "no")),
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(answered["bob"]) < EACH // 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        # In the middle of one request or the next.
        bob.kill()
        for thread in threads:
            thread.join(120)
    finally:
        ann.close()
        bob.close()
    assert len(answered["ann"]) == EACH
    assert EACH // 3 <= len(answered["bob"]) < EACH
    said = annotations(RunFolder(own_run))
    for who, theirs_answered in answered.items():
        theirs = said.filter(said["who"] == who)
        # Each row once; of the request that was under way nobody can know.
        assert len(theirs_answered) <= len(theirs) <= len(theirs_answered) + 1
        assert set(theirs["verdict"]) == {"yes" if who == "ann" else "no"}
    # No file is torn or half there, and what was not answered is sent again and kept once.
    again = Server(own_run, "bob")
    try:
        for number in range(2000, 2000 + EACH):
            assert again.save(number, number % 100, "no")
        state = again.visitor.get("/api/desk").json()
    finally:
        again.close()
    assert (state["mine"], state["contradicted"]) == (EACH, EACH)
    said = annotations(RunFolder(own_run))
    assert said["who"].value_counts().sort("who")["count"].to_list() == [EACH, EACH]
    merged = RunFolder(own_run).annotations / "annotations.parquet"
    # The server that ended in peace left the table of what holds.
    assert read_table(merged, ANNOTATIONS).equals(said)


def test_the_end_waits_for_a_table_that_is_being_written(at_desk, monkeypatch):
    begun, go_on = Event(), Event()

    def slowly(run):
        begun.set()
        assert go_on.wait(30)
        saves.merge(run)

    monkeypatch.setattr(desk_module, "merge", slowly)
    monkeypatch.setattr(desk_module, "_MERGED_AFTER", 0)
    at_desk.say([5], "yes")
    assert begun.wait(30)
    ending = Thread(target=at_desk.desk.finish)
    ending.start()
    ending.join(0.2)
    assert ending.is_alive()
    go_on.set()
    ending.join(30)
    table = read_table(at_desk.desk.opened.run.annotations / "annotations.parquet", ANNOTATIONS)
    assert len(table) == 1
