"""How far a run is, for whoever asks from outside: `work/progress.json`, kept while a step runs."""

import json
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellwise.errors import StorageError
from cellwise.flow.pipeline.events import Listener
from cellwise.flow.pipeline.pace import Pace
from cellwise.store.atomic import write_text

FILE = "progress.json"
_EVERY = 2.0
# What a training says of itself; see the notes of its step.
_WORDS = {
    "model": re.compile(r"\bmodel (\d+) of (\d+)"),
    "epoch": re.compile(r"\bepoch (\d+) of (\d+)"),
}
_FOLD = re.compile(r"\bfold (\d+)\b")


class Told:
    """A listener that notes how far the current step is, and passes everything on.

    Args:
        listener: Whoever watches.
        folder: Where the note lies.
    """

    def __init__(self, listener: Listener, folder: Path) -> None:
        self._listener = listener
        self._file = folder / FILE
        self._step, self._unit = "", ""
        self._pace = Pace()
        self._written = 0.0

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """A step begins; nothing is noted before it has gone on for a while."""
        self._step, self._unit, self._pace = name, unit, Pace()
        self._written = time.monotonic()
        if unit:
            self._pace.advance(0, total)
        self._listener.step_started(name, total=total, unit=unit, why=why)

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Note it, every two seconds at most."""
        self._pace.advance(done, total)
        if time.monotonic() - self._written >= _EVERY:
            self._written = time.monotonic()
            # It tells only how far the work is: that must not end for want of it.
            with suppress(OSError, StorageError):
                write_text(self._file, json.dumps(self._facts(note)))
        self._listener.step_advanced(done, total=total, note=note)

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """The step is over, and so is its note."""
        self._forget()
        self._listener.step_finished(name, seconds=seconds, counts=counts)

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Pass it on."""
        self._listener.step_reused(name, counts=counts)

    def ended(self, status: str) -> None:
        """The run is over."""
        self._forget()
        self._listener.ended(status)

    def message(self, text: str) -> None:
        """Pass it on."""
        self._listener.message(text)

    def _forget(self) -> None:
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _facts(self, note: str) -> dict[str, Any]:
        """What the note holds; rate and time left count from this start alone."""
        facts: dict[str, Any] = {
            "step": self._step,
            "unit": self._unit,
            "done": self._pace.done,
            "total": self._pace.total,
            "note": note,
            "rate": self._pace.rate,
            "seconds_left": self._pace.seconds_left,
            "time": time.time(),
        }
        for word, pattern in _WORDS.items():
            found = pattern.search(note)
            if found:
                facts[word], facts[f"{word}s"] = (int(part) for part in found.groups())
        if fold := _FOLD.search(note):
            facts["fold"] = int(fold[1])
        return facts
