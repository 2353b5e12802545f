"""Fetching the files of a plan: several at once, each whole under its name or not at all."""

import os
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Report
from cellwise.errors import Interrupted
from cellwise.store.atomic import writing
from cellwise.store.objects.ledger import Ledger, time_of
from cellwise.store.objects.source import Damaged, Entry, Other, Source

_TRIES = 3
# A worker in the middle of a request ends with the process; one that writes is waited for.
_LAST_WORDS = 2.0


@dataclass(slots=True)
class _Work:
    """What the threads share."""

    source: Source
    files: Path
    ledger: Ledger
    stop: threading.Event
    todo: "queue.SimpleQueue[Entry]"
    done: "queue.SimpleQueue[tuple[Entry, bool] | BaseException]"
    lock: threading.Lock = field(default_factory=threading.Lock)
    came: int = 0

    def count(self, size: int) -> None:
        with self.lock:
            self.came += size


def fetch_all(
    source: Source,
    entries: Sequence[Entry],
    files: Path,
    ledger: Ledger,
    report: Report,
    *,
    connections: int,
) -> list[str]:
    """Fetch these files.

    Returns:
        The names of those that are other ones by now, or gone; they were not written.

    Raises:
        StorageError: The disk is full or cannot be written.
        Interrupted: A file cannot be had.
        PreflightError: A file can never be had like this.
    """
    work = _Work(source, files, ledger, threading.Event(), queue.SimpleQueue(), queue.SimpleQueue())
    for entry in entries:
        work.todo.put(entry)
    threads = [
        threading.Thread(target=_serve, args=(work,), daemon=True)
        for _ in range(min(connections, len(entries)))
    ]
    for thread in threads:
        thread.start()
    try:
        return _collect(work, entries, report)
    finally:
        work.stop.set()
        for thread in threads:
            thread.join(_LAST_WORDS)


def _collect(work: _Work, entries: Sequence[Entry], report: Report) -> list[str]:
    total = sum(entry.size for entry in entries)
    changed: list[str] = []
    left = len(entries)
    while left:
        note = f"{work.came / 1e6:,.0f} of {total / 1e6:,.0f} MB, {counted(left, 'files')} left"
        report(work.came, max(total, 1), note)
        try:
            found = work.done.get(timeout=0.5)
        except queue.Empty:
            continue
        if isinstance(found, BaseException):
            raise found
        entry, whole = found
        left -= 1
        if not whole:
            changed.append(entry.name)
    return sorted(changed)


def _serve(work: _Work) -> None:
    while not work.stop.is_set():
        try:
            entry = work.todo.get_nowait()
        except queue.Empty:
            return
        try:
            work.done.put((entry, _fetch(work, entry)))
        except BaseException as error:  # noqa: BLE001 - the waiting side raises it
            work.done.put(error)
            return


def _fetch(work: _Work, entry: Entry) -> bool:
    """Fetch one file; whether it is the one that was listed."""
    for left in reversed(range(_TRIES)):
        try:
            _write(work, entry)
        except Other:
            return False
        except Damaged as error:
            if left:
                continue
            raise Interrupted(
                f"{work.source.address}: {entry.name} came {_TRIES} times with another checksum "
                "than is listed. Give the same command again; if it says the same, the file is "
                "damaged there."
            ) from error
        else:
            work.ledger.add(entry)
            return True
    raise AssertionError("the last try ends the loop")


def _write(work: _Work, entry: Entry) -> None:
    came = 0
    try:
        with writing(work.files / entry.name) as partial:
            with partial.open("wb") as stream:
                for piece in work.source.content(entry):
                    if work.stop.is_set():
                        raise Interrupted("Stopped.")
                    stream.write(piece)
                    came += len(piece)
                    work.count(len(piece))
            if came != entry.size:
                raise Damaged(entry.name)
            seconds = time_of(entry.tag)
            os.utime(partial, ns=(seconds, seconds))
    except BaseException:
        work.count(-came)
        raise
