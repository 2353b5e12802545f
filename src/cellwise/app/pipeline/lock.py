"""One run folder, one process: a second one is told who holds the lock.

The lock is the operating system's (it goes when the process goes, also after `kill -9`); the name
of the holder lies beside it for the message.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cellwise.errors import RunLocked, StorageError


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder.

    Raises:
        RunLocked: Another process holds it.
        StorageError: The folder cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunLocked(
            f"{run} is locked by {_holder(run)}. Wait for it, or choose another --out."
        ) from error
    except OSError as error:
        raise StorageError(
            error.errno,
            f"Cannot write the run folder {run}: {error.strerror}. Choose another --out.",
        ) from error
    try:
        holder = {"pid": os.getpid(), "host": socket.gethostname()}
        _write_holder(run / ".lock.json", json.dumps(holder))
        yield
    finally:
        (run / ".lock.json").unlink(missing_ok=True)
        lock.release()


def _write_holder(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(error.errno, f"Cannot write {path}: {error.strerror}.") from error


def _holder(run: Path) -> str:
    try:
        holder = json.loads((run / ".lock.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')}"
