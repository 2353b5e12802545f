"""One run folder, one process: a second one is told who holds the lock.

The lock is the operating system's (it goes when the process goes, also after `kill -9`); the name
of the holder lies beside it for the message.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cellwise.errors import RunLocked, StorageError

_PATIENCE = 0.5
# Seconds between signs of the holder, and without one after which it is taken to be gone.
_SIGN = 15.0
SILENT = 4 * _SIGN
# So long a holder may take to say what for.
_UNSAID = 10.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait for those who hold the folder for the same short work.

    Args:
        what: What this process holds it for, and waits for others to have done.
        seconds: At most.
        say: Given one sentence where it is waited for.
    """

    what: str
    seconds: float
    say: Callable[[str], None]


@contextmanager
def locked(run: Path, waiting: Waiting | None = None) -> Iterator[None]:
    """Hold the run folder.

    Args:
        run: The folder.
        waiting: To wait for holders that do the same; who does something else is not waited for.

    Raises:
        RunLocked: Another process holds it.
        StorageError: The folder cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(run / ".lock")
        _acquire(lock, run, waiting)
    except (OSError, NotImplementedError) as error:
        number, words = _why(error)
        raise StorageError(
            number,
            f"Cannot write the run folder {run}: {words}. Choose another --out.",
        ) from error
    try:
        _refuse_other_hosts(run)
        holder = {**this_process(), **({"what": waiting.what} if waiting else {})}
        _write_holder(run / ".lock.json", json.dumps(holder))
        with _signs(run / ".lock.json"):
            yield
    finally:
        with suppress(OSError):
            (run / ".lock.json").unlink(missing_ok=True)
        lock.release()


@contextmanager
def _signs(path: Path) -> Iterator[None]:
    """Touch the file now and then: who looks from another host sees by it that this one lives."""
    over = threading.Event()

    def give() -> None:
        while not over.wait(_SIGN):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _refuse_other_hosts(run: Path) -> None:
    """See that no other host goes on holding a folder whose lock this one could take.

    Some network disks know the locks of one host only. A holder that was killed leaves its name
    and gives no signs: after some it is taken to be gone.

    Raises:
        RunLocked: It gives signs.
    """
    path = run / ".lock.json"
    holder = said_by_holder(run)
    if not holder or holder.get("host") == socket.gethostname():
        return
    first, begun = _sign_of(path), time.monotonic()
    while time.monotonic() - begun < SILENT / 2:
        sign = _sign_of(path)
        if not sign:
            return
        if sign != first:
            raise RunLocked(
                f"{run} is in use by {holder_of(run)}, though its lock is free here: this file "
                "system does not carry locks from host to host. Wait for it, or choose another "
                "--out."
            )
        time.sleep(min(1.0, _SIGN / 4))


def _sign_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def holder_elsewhere(run: Path) -> dict[str, Any]:
    """The process of another host that says it holds a folder, and when it last gave a sign.

    Returns:
        `host`, `pid` and `silent`, seconds since its last sign by the clocks of both; nothing
        where nobody says so, or somebody on this machine.
    """
    holder = said_by_holder(run)
    sign = _sign_of(run / ".lock.json")
    if not holder or not sign or holder.get("host") == socket.gethostname():
        return {}
    # A clock ahead of ours makes signs of the future.
    silent = max(time.time() - sign / 1e9, 0.0)
    return {"host": holder.get("host"), "pid": holder["pid"], "silent": round(silent, 1)}


def _write_holder(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(error.errno, f"Cannot write {path}: {error.strerror}.") from error


def is_held(folder: Path) -> bool:
    """Whether a process holds this folder."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        # Where nothing can be locked, nothing can tell.
        return False
    lock.release()
    return False


def this_process() -> dict[str, Any]:
    """The number of this process and the name of its machine."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


def holder_of(run: Path) -> str:
    """Who holds a folder, in words."""
    holder = said_by_holder(run)
    return f"process {holder['pid']} on {holder.get('host')}" if holder else "another process"


def _acquire(lock: FileLock, run: Path, waiting: Waiting | None) -> None:
    """Take the lock, or say who has it.

    Raises:
        RunLocked: Somebody else holds it, for too long or for something else.
    """
    begun, said = time.monotonic(), False
    while True:
        try:
            # `status` holds the lock for a moment to see whether a run is alive.
            lock.acquire(timeout=_PATIENCE, poll_interval=0.05)
        except Timeout as error:
            waited = time.monotonic() - begun
            does = said_by_holder(run)
            alike = waiting and (
                does.get("what") == waiting.what if does else waited < min(_UNSAID, waiting.seconds)
            )
            if waiting is None or not alike or waited > waiting.seconds:
                raise RunLocked(
                    f"{run} is locked by {holder_of(run)}. Wait for it, or choose another --out."
                ) from error
            if not said:
                said = True
                minutes = round(waiting.seconds / 60)
                waiting.say(
                    f"Waiting for {holder_of(run)} to {waiting.what} (at most {minutes} minutes)."
                )
        else:
            return


def said_by_holder(run: Path) -> dict[str, Any]:
    """What the holder of a folder wrote beside the lock; nothing where nobody did."""
    try:
        holder = json.loads((run / ".lock.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) and "pid" in holder else {}


def _why(error: OSError | NotImplementedError) -> tuple[int | None, str]:
    """Number and words of what went wrong; some network disks know no locks."""
    if isinstance(error, OSError):
        return error.errno, error.strerror or str(error)
    return None, f"it cannot be locked ({error})"
