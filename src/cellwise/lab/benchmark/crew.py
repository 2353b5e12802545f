"""Runs the tasks of a benchmark, several side by side, each in a process of its own.

A process that dies, or is killed with its parent, leaves a run folder that the same command takes
up again: the pipeline's files appear whole or not at all.
"""

import importlib
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cellwise.errors import PreflightError
from cellwise.flow.engines import local, tell
from cellwise.flow.pipeline.events import Listener
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.pipeline.state import Request
from cellwise.lab.benchmark.meter import REUSED, Meter, Tell
from cellwise.lab.benchmark.plan import Task
from cellwise.store.images.kept import decoded_once

_TRAIN = "train "
_KEPT = 1 << 29


@dataclass(frozen=True, slots=True)
class Setting:
    """What all tasks share: the benchmark's folder, the device, and the words that started it."""

    out: Path
    device: str
    command: tuple[str, ...]


class Progress:
    """Adds up what all tasks tell; the unit is one training that is still to be done."""

    def __init__(self, tasks: Sequence[Task], listener: Listener) -> None:
        steps = [step for task in tasks for step in task.merged.recipe.steps]
        self._total = sum(step.kind == "train" for step in steps)
        self._shares: dict[tuple[str, str], float] = {}
        self._listener = listener
        self._started = time.monotonic()
        listener.step_started("trainings", total=self._total, unit="training", why="")

    def tell(self, task: str, step: str, share: float) -> None:
        """Task `task` is so far with a step."""
        if step.startswith(_TRAIN) and share == REUSED:
            # It says nothing of the time that the others take.
            self._total -= 1
        elif step.startswith(_TRAIN):
            self._shares[task, step] = share
        done = int(sum(self._shares.values()) + 1e-9)
        note = f"{task.rpartition('-')[0]}: {step.split()[0]}"
        if done:
            # Before the first one is done nothing can be said of the time left.
            self._listener.step_advanced(done, total=self._total, note=note)

    def end(self) -> None:
        """All is done."""
        seconds = time.monotonic() - self._started
        self._listener.step_finished("trainings", seconds=seconds, counts={"trained": self._total})


def run_tasks(tasks: Sequence[Task], setting: Setting, *, workers: int, listener: Listener) -> None:
    """Do all tasks; what is done already is taken as it is.

    Raises:
        PreflightError: A world of which something was set aside, or a process that died.
    """
    progress = Progress(tasks, listener)
    # Each training says itself how many threads it takes.
    with local.build(min(workers, len(tasks)), single_threaded=False) as engine:
        batches = [([task], setting) for task in tasks]
        for _ in engine.map(_run_there, batches, lost=_lost, heard=lambda m: progress.tell(*m)):
            pass
    progress.end()


def _run_there(tasks: list[Task], setting: Setting) -> list[str]:
    for task in tasks:
        run_task(task, setting, partial(_said, task.name))
    return [task.name for task in tasks]


def _said(task: str, step: str, share: float) -> None:
    tell((task, step, share))


def _lost(task: Task) -> str:
    raise PreflightError(
        f"The process of task {task.name} died (most often: out of memory). Give fewer --workers "
        "and the same command again; it continues from here."
    )


def run_task(task: Task, setting: Setting, tell: Tell) -> None:
    """One run of the pipeline, all rows of a world and a seed in it.

    Raises:
        PreflightError: Something of the world was set aside: arms would not see the same cells.
    """
    _warm_up(task)
    run = task.run(setting.out)
    request = Request(
        folder=task.draw.images(setting.out),
        out=run,
        recipe=task.recipe(setting.out),
        seed=task.seed,
        device=setting.device,
        workers=1,
        command=setting.command,
    )
    # Rows of screens score the same small sites, each by a network of its own.
    with decoded_once(_KEPT) if task.merged.strands[0].of_wells else nullcontext():
        outcome = run_pipeline(request, Meter(costs_path(task, setting.out), tell))
    aside = int(outcome.counts.get("quarantined", 0))
    if aside:
        raise PreflightError(
            f"World {task.draw.name}: {aside} inputs were set aside, see {run / 'quarantine.csv'}. "
            "Make the data set again."
        )


def _warm_up(task: Task) -> None:
    """Load the libraries of a training, so that the first one does not pay for them."""
    if any(step.kind == "train" for step in task.merged.recipe.steps):
        importlib.import_module("cellwise.learning.fit")


def costs_path(task: Task, out: Path) -> Path:
    """The file that keeps what each step of a task took."""
    return out / "runs" / f"{task.name}.costs.jsonl"
