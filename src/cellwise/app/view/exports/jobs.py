"""Exports under way: one at a time, each in a process of its own that can be ended."""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from cellwise.app.view.end_process import end_process
from cellwise.app.view.exports import child
from cellwise.app.view.exports.forms import BY_NAME, Form, place_of
from cellwise.errors import PreflightError, UsageError
from cellwise.store.run.folder import RunFolder

Work = Callable[[str, str, str, Any], None]
"""What a process does, see `child.make`."""
_SECONDS_TO_END = 8.0
_LOOK_EVERY = 0.2


@dataclass(slots=True)
class State:
    """How far an export is.

    Args:
        step: `waiting`, `working`, `done`, `failed` or `stopped`.
        done, total: Fields written, and fields in all; 0 where they are not known.
        words: Why it failed.
        lost: The first fields that could not be written, with the reason.
        n_lost: How many there are.
    """

    step: str = "waiting"
    done: int = 0
    total: int = 0
    words: str = ""
    lost: list[tuple[str, str]] = field(default_factory=list)
    n_lost: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing is to come."""
        return self.step in ("done", "failed", "stopped")


class Jobs:
    """The exports of one run that were asked for since the server started.

    Args:
        run: The run folder.
        work: What a process does.
    """

    def __init__(self, run: Path, work: Work = child.make) -> None:
        self.run, self._work = run, work
        self._states: dict[str, State] = {}
        self._queue: list[str] = []
        self._changed = Condition()
        self._stopping = False
        self._cancelled = ""
        self._thread: Thread | None = None

    def state(self, name: str) -> State | None:
        """How far an export is, None where nobody asked for it."""
        return self._states.get(name)

    def ask(self, name: str) -> State:
        """Have an export made; one that is waited for or under way is not begun again.

        Raises:
            UsageError: No such export.
            PreflightError: The run has nothing for it, or its folder cannot be written.
        """
        form = BY_NAME.get(name)
        if form is None:
            raise UsageError("There is no such export.")
        if missing := form.missing(RunFolder(self.run)):
            raise PreflightError(missing)
        if words := read_only(self.run):
            raise PreflightError(words)
        with self._changed:
            known = self._states.get(name)
            if known is not None and not known.is_over:
                return known
            if self._stopping:
                raise PreflightError("The server is being stopped.")
            self._states[name] = state = State()
            self._queue.append(name)
            if self._thread is None:
                self._thread = Thread(target=self._go, name="exports", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return state

    def cancel(self, name: str) -> None:
        """Stop an export that is waited for or under way; what was there before stays."""
        with self._changed:
            if name in self._queue:
                self._queue.remove(name)
                self._states[name].step = "stopped"
            elif name in self._states and not self._states[name].is_over:
                self._cancelled = name

    def stop(self) -> None:
        """End what is under way, and wait for it a few seconds."""
        with self._changed:
            self._stopping = True
            for name in self._queue:
                self._states[name].step = "stopped"
            self._queue.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=2 * _SECONDS_TO_END)

    def _go(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                name = self._queue.pop(0)
                self._cancelled = ""
                state = self._states[name]
                state.step = "working"
            try:
                self._make(BY_NAME[name], state)
            except Exception as error:  # noqa: BLE001  # The next one must not wait for ever.
                state.words, state.step = f"{type(error).__name__}: {error}", "failed"

    def _make(self, form: Form, state: State) -> None:
        context = multiprocessing.get_context("spawn")
        told, tells = context.Pipe(duplex=False)
        place = place_of(self.run, form)
        process = context.Process(
            target=self._work, args=(str(self.run), form.name, str(place), tells), daemon=True
        )
        process.start()
        tells.close()
        try:
            while not state.is_over:
                if self._stopping or self._cancelled == form.name:
                    state.step = "stopped"
                elif told.poll(_LOOK_EVERY):
                    _take(state, told.recv())
        except EOFError:
            process.join(_SECONDS_TO_END)
            state.words = f"Its process ended with {process.exitcode}; there may be too little "
            state.words += "memory. `cellwise export` says more."
            state.step = "failed"
        finally:
            told.close()
            end_process(process, _SECONDS_TO_END)


def _take(state: State, message: tuple[Any, ...]) -> None:
    kind, *rest = message
    if kind == "at":
        state.done, state.total = rest
    elif kind == "failed":
        (state.words,) = rest
        state.step = "failed"
    else:
        state.done, _, state.lost, state.n_lost = rest
        state.step = "done"


def read_only(run: Path) -> str:
    """Why no export can be kept in this run; empty where one can."""
    place = run / "exports"
    if not os.access(place if place.is_dir() else run, os.W_OK | os.X_OK):
        return (
            f"This run folder cannot be written. Make the export elsewhere: "
            f"`cellwise export {run.name} --to NAME --out PLACE`."
        )
    return ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An export that lies in the run.

    Args:
        when: Seconds since 1970.
        size: Bytes of it.
        older: Whether the run has changed since.
    """

    when: float
    size: int
    older: bool


def kept(run: Path, form: Form) -> Kept | None:
    """The export in `RUN/exports`, None where there is none."""
    place = place_of(run, form)
    if place.is_symlink() or not (place.is_dir() if form.is_folder else place.is_file()):
        return None
    try:
        facts = place.stat()
        when, size = facts.st_mtime, facts.st_size
        if form.is_folder:
            size = _size(place, facts.st_mtime_ns, facts.st_ino)
    except OSError:
        # It is being replaced at this moment.
        return None
    folder = RunFolder(run)
    tables = (folder.predictions, folder.cells, folder.sites)
    changed = max((table.stat().st_mtime for table in tables if table.is_file()), default=0.0)
    return Kept(when, size, changed > when)


@lru_cache(maxsize=64)
def _size(folder: Path, when: int, number: int) -> int:
    """Bytes in a folder; one that was replaced is another one, so it is counted once."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
