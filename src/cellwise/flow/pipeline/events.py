"""What the pipeline tells whoever watches: a listener draws it, a log keeps it."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from cellwise.errors import StorageError


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


def _ends_a_line(handle: BinaryIO) -> bool:
    if handle.seek(0, os.SEEK_END) == 0:
        return True
    handle.seek(-1, os.SEEK_END)
    return handle.read(1) == b"\n"
