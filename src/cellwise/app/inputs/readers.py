"""Who reads a copy: while somebody does, none of its files is replaced.

Each reader holds a lock of the operating system, which goes when its process goes.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_FOLDER = "readers"


@contextmanager
def reading(home: Path) -> Iterator[None]:
    """Read a copy until the end of the block; where nothing can be locked, nothing is."""
    place = home / _FOLDER / f"{os.getpid()} on {_host()} {uuid.uuid4().hex[:8]}.lock"
    try:
        place.parent.mkdir(exist_ok=True)
        lock = FileLock(place)
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError):
        # A copy on a disk that cannot be written is replaced by nobody.
        yield
        return
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            place.unlink(missing_ok=True)


def reader_of(home: Path) -> str:
    """Some process that reads a copy, in words; empty for none."""
    for place in sorted((home / _FOLDER).glob("*.lock")):
        lock = FileLock(place)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return f"process {place.stem.rpartition(' ')[0]}"
        except (OSError, NotImplementedError):
            continue
        lock.release()
        with suppress(OSError):
            place.unlink(missing_ok=True)
    return ""


def last_read(home: Path) -> float:
    """When the last reader came or went, or the copy was made, in seconds of the epoch."""
    place = home / _FOLDER
    return (place if place.is_dir() else home).stat().st_mtime


def _host() -> str:
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in socket.gethostname())
