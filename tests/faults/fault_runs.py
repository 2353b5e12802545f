"""Runs for fault tests: in this process, as a child process, and what they left on disk."""

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import polars as pl

from cellwise.app.cli import main
from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"
PLAIN = HERE / "plain.yaml"
PATIENCE = 120.0


def run(folder, out, *settings, recipe=PLAIN, listener=None, **options):
    """A run in this process, on one core."""
    options = {"device": "cpu", "workers": 1, **options}
    request = make_request(folder, out, recipe=str(recipe), settings=settings, **options)
    return run_pipeline(request, listener)


def words(folder, out, *more, recipe=PLAIN, workers=1):
    """The same run as a command."""
    fixed = ["--recipe", recipe, "--workers", workers, "--device", "cpu"]
    return command("run", folder, "--out", out, *fixed, *more)


def command(*more):
    return [sys.executable, "-m", "cellwise", *map(str, more)]


def environment():
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "default"}


def call(words, **options):
    """Run a command to its end."""
    options = {"capture_output": True, "text": True, "timeout": PATIENCE, **options}
    return subprocess.run(words, env=environment(), check=False, **options)


def here(words):
    """The same command in this process, which need not start first; `words` as for `call`."""
    said, complained = io.StringIO(), io.StringIO()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        with (
            patch.object(sys, "argv", ["cellwise", *words[3:]]),
            redirect_stdout(said),
            redirect_stderr(complained),
        ):
            main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    return subprocess.CompletedProcess(words, code, said.getvalue(), complained.getvalue())


@contextmanager
def child(words, log, **options):
    """A command that runs beside the test; killed at the end if it still runs."""
    with log.open("wb") as sink:
        process = subprocess.Popen(words, env=environment(), stdout=sink, stderr=sink, **options)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def wait_for(condition, process, *, pause=0.002):
    """Wait until the condition holds; False where the process ended before."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        if process.poll() is not None:
            return bool(condition())
        time.sleep(pause)
    raise TimeoutError


def records(out, step):
    """Whole lines in the completion records of a step."""
    path = out / "done" / f"{step}.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def left_on_disk(out: Path) -> dict[str, str]:
    """Digest of every result file; records, logs and notes of work under way do not count."""
    own = ("masks", "crops", "embeddings", "labels", "scores", "decisions", "models")
    paths = [p for name in own for p in sorted((out / name).rglob("*")) if p.is_file()]
    paths += [*sorted(out.glob("*.parquet")), out / "quarantine.csv"]
    paths += [out / name for name in ("metrics.json", "split.json") if (out / name).is_file()]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def partial_files(out):
    return [p for p in out.rglob("*") if ".partial" in p.name]


def quarantine(out):
    with (out / "quarantine.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def record(out):
    return json.loads((out / "run.json").read_text(encoding="utf-8"))


def reading(out):
    return json.loads((out / "reading.json").read_text(encoding="utf-8"))


def cells(out):
    return pl.read_parquet(out / "cells.parquet")


def states(out):
    """State of each step in `run.json`: done or reused."""
    return {step["name"]: step["state"] for step in record(out)["steps"]}


class Heard(Silent):
    """A listener that remembers what each step said."""

    def __init__(self):
        self.why = {}
        self.total = {}
        self.reused = []
        self.messages = []
        self.before_work = []

    def step_started(self, name, *, total, unit, why):
        self.why[name], self.total[name] = why, total

    def step_reused(self, name, *, counts):
        self.reused.append(name)

    def message(self, text):
        self.messages.append(text)
        if not self.total and not self.reused:
            self.before_work.append(text)
