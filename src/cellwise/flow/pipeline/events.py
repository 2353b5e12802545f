"""What the pipeline tells whoever watches: a listener draws it, a log keeps it."""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from cellwise.errors import StorageError

LOG = "log.jsonl"
# Seconds between notes on a training.
_EVERY = 10.0


class Listener(Protocol):
    """Told of every event; the shell draws bars from it, the Python API stays silent."""

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """A step begins: `total` units to do; `why` says what made it necessary."""

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """`done` of `total` units of the current step are finished."""

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """The current step is complete."""

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Nothing had to be done for this step."""

    def ended(self, status: str) -> None:
        """The run is over: done, interrupted or failed, maybe in the middle of a step."""

    def message(self, text: str) -> None:
        """A sentence for the user."""


class Silent:
    """A listener that keeps quiet."""

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """Keep quiet."""

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """Keep quiet."""

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Keep quiet."""

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Keep quiet."""

    def ended(self, status: str) -> None:
        """Keep quiet."""

    def message(self, text: str) -> None:
        """Keep quiet."""


class EventLog:
    """Appends events to `log.jsonl`; a torn last line after a crash harms nobody."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **event: Any) -> None:
        """Append one event as a line of JSON.

        Raises:
            StorageError: The disk is full or read-only.
        """
        line = json.dumps(event, sort_keys=True, default=str) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as handle:
                handle.write((b"" if _ends_a_line(handle) else b"\n") + line.encode())
        except OSError as error:
            raise StorageError(
                error.errno,
                f"Cannot write {self._path}: {error.strerror}. Make room there, or allow writing, "
                "and give the same command again.",
            ) from error


class Logged:
    """A listener that notes what happens within steps in `log.jsonl`, and passes everything on.

    The ends of steps are noted with all their facts by who does the steps. A disk that is full
    keeps nobody from working: what is lost is a line here.

    Args:
        listener: Whoever watches.
        log: Where lines go.
    """

    def __init__(self, listener: Listener, log: EventLog) -> None:
        self._listener, self._log = listener, log
        self._step, self._unit = "", ""
        self._done, self._begun, self._noted = 0, 0.0, 0.0

    def step_started(self, name: str, *, total: int, unit: str, why: str) -> None:
        """A step begins."""
        self._step, self._unit, self._done = name, unit, 0
        self._begun = self._noted = time.monotonic()
        self._note("step_started", step=name, total=total, unit=unit, why=why)
        self._listener.step_started(name, total=total, unit=unit, why=why)

    def step_advanced(self, done: int, *, total: int, note: str) -> None:
        """A batch of sites is done; of trainings, a line every ten seconds."""
        now = time.monotonic()
        if done != self._done and (self._unit or now - self._noted >= _EVERY):
            self._note(
                "batch" if self._unit else "progress",
                step=self._step,
                done=done,
                total=total,
                units=done - self._done,
                seconds=round(now - self._begun, 3),
                note=note,
            )
            self._done, self._noted = done, now
        self._listener.step_advanced(done, total=total, note=note)

    def step_finished(self, name: str, *, seconds: float, counts: dict[str, Any]) -> None:
        """Pass it on."""
        self._listener.step_finished(name, seconds=seconds, counts=counts)

    def step_reused(self, name: str, *, counts: dict[str, Any]) -> None:
        """Pass it on."""
        self._listener.step_reused(name, counts=counts)

    def ended(self, status: str) -> None:
        """Pass it on."""
        self._listener.ended(status)

    def message(self, text: str) -> None:
        """What the user is told: warnings, workers that were lost and work that is given again."""
        self._note("message", text=text)
        self._listener.message(text)

    def _note(self, event: str, **facts: Any) -> None:
        with suppress(StorageError):
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            self._log.write(event=event, time=stamp, **facts)


def _ends_a_line(handle: BinaryIO) -> bool:
    if handle.seek(0, os.SEEK_END) == 0:
        return True
    handle.seek(-1, os.SEEK_END)
    return handle.read(1) == b"\n"
