"""Maps by UMAP: asked for once, computed behind the server, kept while it shows this state."""

import importlib.util
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.app.view.end_process import end_process
from cellwise.app.view.layouts import child

HOW = "UMAP is an extra: pip install 'cellwise[umap]', and start cellwise view again."
FITTED, MOST = 20_000, 100_000
"""Cells that are laid out together, and cells that have a place at all; chance draws them."""
_FEWEST = 5
_LOOK_EVERY = 0.2
_SECONDS_TO_END = 5.0

Floats = npt.NDArray[np.float32]
Work = Callable[[str, str, int, Any], None]
"""What a process does, see `child.lay`."""


def installed() -> bool:
    """Whether the extra is there; nothing is imported."""
    return importlib.util.find_spec("umap") is not None


@dataclass(slots=True)
class State:
    """How far a map is.

    Args:
        step: `working`, `done` or `failed`.
        cells: Cells that get a place.
        began: The clock when it was asked for.
        words: Why it failed.
        points: `[cell, (x, y)]` once it is done, NaN for cells without a place.
    """

    step: str = "working"
    cells: int = 0
    began: float = 0.0
    words: str = ""
    points: Floats | None = None

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.monotonic() - self.began


class Layouts:
    """The maps by UMAP of one state of a run.

    Args:
        numbers: A name of vectors to `[cell, number]`, NaN in rows of cells without a vector.
        work: What a process does.
        seconds: After so long one is given up.
    """

    def __init__(
        self,
        numbers: Callable[[str], Floats],
        work: Work = child.lay,
        *,
        seconds: float = 1800.0,
    ) -> None:
        self._numbers, self._work, self._seconds = numbers, work, seconds
        self._states: dict[str, State] = {}
        self._lock, self._one = Lock(), Lock()
        self._stopping = Event()
        self._threads: list[Thread] = []

    def ask(self, name: str) -> State:
        """How far the map of these vectors is; it is begun where nobody asked before or it failed.

        Where one is under way, others wait for it.
        """
        with self._lock:
            known = self._states.get(name)
            if known is not None and (known.step != "failed" or self._stopping.is_set()):
                return known
            state = State(began=time.monotonic())
            self._states[name] = state
            thread = Thread(target=self._go, args=(name, state), name="layouts", daemon=True)
            self._threads.append(thread)
            thread.start()
            return state

    def known(self, name: str) -> State | None:
        """How far a map is that somebody asked for."""
        return self._states.get(name)

    def stop(self, *, wait: bool = True) -> None:
        """End what is under way; with `wait` be there until it has ended."""
        self._stopping.set()
        for thread in self._threads if wait else ():
            thread.join(timeout=2 * _SECONDS_TO_END)

    def _go(self, name: str, state: State) -> None:
        try:
            with self._one:
                self._make(name, state)
        except Exception as error:  # noqa: BLE001  # The page says it, and may ask again.
            state.words, state.step = f"{type(error).__name__}: {error}", "failed"

    def _make(self, name: str, state: State) -> None:
        values = self._numbers(name)
        there = np.flatnonzero(np.isfinite(values).all(axis=1))
        if len(there) > MOST:
            drawn = np.random.default_rng(child.SEED).permutation(len(there))[:MOST]
            there = np.sort(there[drawn])
        state.cells = len(there)
        if len(there) < _FEWEST:
            state.words, state.step = f"{len(there)} cells have vectors: too few", "failed"
            return
        with tempfile.TemporaryDirectory(prefix="cellwise-map-") as home:
            given, place = Path(home) / "given.npy", Path(home) / "found.npy"
            np.save(given, values[there])
            words = self._worked(given, place, state)
            if words:
                state.words, state.step = words, "failed"
                return
            points = np.full((len(values), 2), np.nan, np.float32)
            points[there] = np.load(place)
        state.points, state.step = points, "done"

    def _worked(self, given: Path, place: Path, state: State) -> str:
        """Let a process write the place; returns why it did not."""
        context = multiprocessing.get_context("spawn")
        told, tells = context.Pipe(duplex=False)
        process = context.Process(
            target=self._work, args=(str(given), str(place), FITTED, tells), daemon=True
        )
        process.start()
        tells.close()
        try:
            while True:
                if self._stopping.is_set():
                    return "the server shows another state of the run, or is being stopped"
                if state.seconds > self._seconds:
                    return f"it took more than {self._seconds / 60:.0f} minutes"
                if told.poll(_LOOK_EVERY):
                    return str(told.recv()[1])
        except EOFError:
            process.join(_SECONDS_TO_END)
            return f"its process ended with {process.exitcode}; there may be too little memory"
        finally:
            told.close()
            end_process(process, _SECONDS_TO_END)
