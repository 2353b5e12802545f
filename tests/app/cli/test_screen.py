"""What is drawn while a run is under way."""

import io
import os
import pty
import re
import subprocess
import time

import pytest
from rich.console import Console
from tests.faults.fault_runs import environment, words
from tests.worlds import plate

from cellwise.app.cli.terminal import screen
from cellwise.app.cli.terminal.screen import Bars, Lines, Progress
from cellwise.flow.pipeline.pace import Pace


def test_plain_lines_come_at_most_every_ten_seconds(capsys):
    lines = Lines()
    lines.step_started("segment", total=400, unit="site", why="size: 24 -> 20")
    for done in range(400):
        lines.step_advanced(done, total=400, note="A01")
    lines.step_finished("segment", seconds=75.2, counts={"cells": 1234, "notes": ["x"]})
    assert capsys.readouterr().err.splitlines() == [
        "segment: 400 sites (size: 24 -> 20) ...",
        "segment: done in 1 min 15 s · 1,234 cells",
    ]


def test_of_slow_steps_it_is_said_how_long_one_takes(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(screen, "Pace", lambda: Pace(clock=lambda: now[0]))
    lines = Lines()
    lines.step_started("check", total=12, unit="step", why="")
    for done in range(1, 4):
        now[0] += 25
        lines.step_advanced(done, total=12, note="")
    said = capsys.readouterr().err
    assert "25.0 s each" in said
    assert "0.0/s" not in said


def test_names_with_brackets_are_no_markup():
    bars = Bars()
    text = io.StringIO()
    bars._console = bars._progress.live.console = Console(file=text, width=100)
    bars.step_started("cells", total=1, unit="site", why="policy: [red] -> [/bold]")
    bars.step_advanced(1, total=1, note="[/green]A01")
    bars.step_finished("cells", seconds=1.0, counts={"cells": 3})
    bars.step_reused("a[b]", counts={})
    assert "policy: [red] -> [/bold]" in text.getvalue()
    assert "= a[b]" in text.getvalue()


def test_a_run_that_stops_in_a_step_gives_the_cursor_back():
    bars = Bars()
    text = io.StringIO()
    bars._console = bars._progress.live.console = Console(file=text, force_terminal=True)
    bars.step_started("cells", total=2, unit="site", why="")
    bars.ended("interrupted")
    assert text.getvalue().count("\x1b[?25l") == text.getvalue().count("\x1b[?25h") == 1


@pytest.mark.long
def test_a_terminal_gets_bars_that_leave_one_line_per_step(tmp_path):
    images = plate(tmp_path / "images", 3)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        words(images, tmp_path / "out.run"),
        env={**environment(), "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": ""},
        stdout=subprocess.DEVNULL,
        stderr=follower,
    ) as process:
        os.close(follower)
        content = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            if not part:
                break
            content += part
    os.close(leader)
    assert process.returncode == 0, content
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", content.decode())
    left = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip().startswith("✓")]
    assert [line.split()[1] for line in left] == ["read", "segment", "cells"]
    assert "3/3" in text
    assert "Traceback" not in text


def test_short_work_stays_silent(capsys):
    with Progress("simulate", unit="field", after=60.0) as progress:
        for done in range(5):
            progress(done, 5, "")
    assert capsys.readouterr().err == ""


def test_each_round_of_a_long_call_is_a_step_of_its_own(capsys):
    with Progress("train-segmenter", unit="step", after=0.0) as progress:
        for done in (1, 2, 3, 1, 2):
            progress(done, 3, "fold")
    assert capsys.readouterr().err.splitlines() == ["train-segmenter: 3 steps ..."] * 2


def test_a_call_that_fails_leaves_the_terminal_in_order(monkeypatch):
    ended = []

    class Told(Lines):
        def ended(self, status):
            ended.append(status)

    def fail():
        with Progress("a", unit="b", after=0.0) as progress:
            progress(1, 2, "")
            raise ZeroDivisionError

    monkeypatch.setattr(screen, "make_listener", Told)
    with pytest.raises(ZeroDivisionError):
        fail()
    assert ended == [""]


def test_a_count_of_nothing_said_is_no_seconds(capsys):
    lines = screen.Lines()
    lines.step_started("check", total=320, unit="", why="")
    assert capsys.readouterr().err == "check: ...\n"


def test_a_training_that_goes_on_is_not_taken_for_a_fast_one(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(screen, "Pace", lambda: Pace(lambda: now[0]))
    lines = Lines()
    lines.step_started("train", total=0, unit="", why="")
    now[0] += 1
    lines.step_advanced(900, total=1000, note="model 5 of 5")
    now[0] += 20
    lines.step_advanced(920, total=1000, note="model 5 of 5")
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "train: 92% (1 min 20 s left) model 5 of 5"
    bars = Bars()
    bars._console = bars._progress.live.console = Console(file=io.StringIO(), width=100)
    bars.step_started("train", total=0, unit="", why="")
    bars.step_advanced(900, total=1000, note="")
    assert bars._progress.tasks[0].completed == 900
    assert bars._progress.tasks[0].speed is None
    bars.ended("interrupted")
