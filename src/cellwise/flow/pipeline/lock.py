"""One run folder, one process: a second one is told who holds the lock.

The lock is the operating system's (it goes when the process goes, also after `kill -9`); the name
of the holder lies beside it for the message.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cellwise.errors import RunLocked, StorageError

_PATIENCE = 0.5


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
        # `status` holds the lock for a moment to see whether a run is alive.
        lock.acquire(timeout=_PATIENCE, poll_interval=0.05)
    except Timeout as error:
        raise RunLocked(
            f"{run} is locked by {_holder(run)}. Wait for it, or choose another --out."
        ) from error
    except (OSError, NotImplementedError) as error:
        number, words = _why(error)
        raise StorageError(
            number,
            f"Cannot write the run folder {run}: {words}. Choose another --out.",
        ) from error
    try:
        holder = {"pid": os.getpid(), "host": socket.gethostname()}
        _write_holder(run / ".lock.json", json.dumps(holder))
        yield
    finally:
        with suppress(OSError):
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
    except (OSError, ValueError):
        return "another process"
    if not isinstance(holder, dict):
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')}"


def _why(error: OSError | NotImplementedError) -> tuple[int | None, str]:
    """Number and words of what went wrong; some network disks know no locks."""
    if isinstance(error, OSError):
        return error.errno, error.strerror or str(error)
    return None, f"it cannot be locked ({error})"
