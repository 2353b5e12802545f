"""Runs the tasks of a ladder, several side by side, each in a process of its own.

A process that dies, or is killed with its parent, leaves a run folder that the same command takes
up again: the pipeline's files appear whole or not at all.
"""

import importlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cellwise.errors import PreflightError
from cellwise.flow.pipeline.events import Listener
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.pipeline.state import Request
from cellwise.lab.benchmark.meter import REUSED, Meter, Tell
from cellwise.lab.benchmark.plan import Task

_TRAIN = "train "
_LISTEN = 0.2
# Set in each process of the pool by `_prepare`; the way to tell the parent how far it is.
_voice: list[Any] = []


@dataclass(frozen=True, slots=True)
class Setting:
    """What all tasks share: the ladder's folder, the device, and the words that started it."""

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
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            run_task(task, setting, partial(progress.tell, task.name))
    else:
        _side_by_side(tasks, setting, workers=workers, progress=progress)
    progress.end()


def _side_by_side(
    tasks: Sequence[Task], setting: Setting, *, workers: int, progress: Progress
) -> None:
    context = multiprocessing.get_context("spawn")
    voice: Any = context.Queue()
    held, leash = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        min(workers, len(tasks)),
        mp_context=context,
        initializer=_prepare,
        initargs=(held, voice),
    )
    try:
        futures = [pool.submit(_run_there, task, setting) for task in tasks]
        _follow(futures, voice, progress)
    except BrokenProcessPool as error:
        raise PreflightError(
            "A process of the ladder died (most often: out of memory). Give fewer --workers and "
            "the same command again: it goes on from here."
        ) from error
    finally:
        # The processes end when the other end of this pipe closes, whatever they are doing.
        leash.close()
        pool.shutdown(wait=True, cancel_futures=True)
        voice.close()
        voice.cancel_join_thread()


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
    outcome = run_pipeline(request, Meter(costs_path(task, setting.out), tell))
    aside = int(outcome.counts.get("quarantined", 0))
    if aside:
        raise PreflightError(
            f"World {task.draw.name}: {aside} inputs were set aside, see {run / 'quarantine.csv'}. "
            "Make the world again."
        )


def _warm_up(task: Task) -> None:
    """Load the libraries of a training, so that the first one does not pay for them."""
    if any(step.kind == "train" for step in task.merged.recipe.steps):
        importlib.import_module("cellwise.learning.fit")


def costs_path(task: Task, out: Path) -> Path:
    """The file that keeps what each step of a task took."""
    return out / "runs" / f"{task.name}.costs.jsonl"


def _follow(futures: "list[Future[None]]", voice: Any, progress: Progress) -> None:
    """Pass on what the processes tell until all are done, or one has failed."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=_LISTEN, return_when=FIRST_EXCEPTION)
        with suppress(queue.Empty):
            while True:
                progress.tell(*voice.get_nowait())
        for future in done:
            future.result()


def _run_there(task: Task, setting: Setting) -> None:
    run_task(task, setting, lambda step, share: _voice[0].put((task.name, step, share)))


def _prepare(leash: Connection, voice: Any) -> None:
    import cv2

    # What an interrupt means is the parent's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    cv2.setNumThreads(1)
    _voice.append(voice)


def _end_with(leash: Connection) -> None:
    # Nothing is ever sent: this returns when the other end is gone.
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(1)
