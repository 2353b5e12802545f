"""Files appear whole or not at all: written under a temporary name, synced, renamed."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cellwise.errors import StorageError


class Watcher(Protocol):
    """Who has a say in what this process writes, see `watched_by`."""

    def before(self, path: Path) -> None:
        """Called before a whole file takes the name `path`; an error keeps it from doing so."""

    def after(self, path: Path) -> None:
        """Called when the file has its name."""


_watchers: list[Watcher] = []

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space and give the same command again.",
    errno.EDQUOT: "The quota is used up. Free some space and give the same command again.",
    errno.EFBIG: "The file is larger than allowed here. Raise the limit and run again.",
    errno.EROFS: "The disk is read-only. Choose another --out.",
    errno.EACCES: "No permission to write there. Choose another --out.",
    errno.EPERM: "No permission to write there. Choose another --out.",
}


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path` in one step.

    The temporary name keeps the ending of `path`: some writers choose a format by it.

    Raises:
        StorageError: The disk is full or cannot be written; `path` is as it was before.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        rename(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0)
        if advice is None:
            raise
        raise StorageError(
            error.errno, f"Cannot write {path}: {error.strerror}. {advice}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def rename(whole: Path, path: Path) -> None:
    """Give a whole file its name; a file of that name is replaced in one step."""
    for watcher in _watchers:
        watcher.before(path)
    whole.replace(path)
    for watcher in _watchers:
        watcher.after(path)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Let somebody watch all files that this process writes until the end of the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that `path` is never seen half-written."""
    with writing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text so that `path` is never seen half-written."""
    write_bytes(path, content.encode())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
