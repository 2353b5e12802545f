"""Files appear whole or not at all: written under a temporary name, synced, renamed."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cellwise.errors import StorageError, UsageError


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


# How many seconds a file that is to be replaced may be held open by others, on Windows.
_HELD = 5.0 if os.name == "nt" else 0.0


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
        # Windows syncs only what is open for writing.
        with partial.open("r+b") as handle:
            os.fsync(handle.fileno())
        rename(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        told = _told(path, error)
        if told is None:
            raise
        raise told from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing_folder(path: Path, *, replaces: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a new folder beside `path`; on success it becomes `path`, with all that is in it.

    Args:
        path: The folder to write.
        replaces: Whether a folder that is there already may be replaced; an empty one always may.

    Raises:
        UsageError: `path` is a file, or a folder that may not be replaced; nothing was written.
        StorageError: The disk is full or cannot be written; `path` is as it was before.
    """
    mark = uuid.uuid4().hex
    partial = path.with_name(f".{mark}.partial{path.suffix}")
    gone = path.with_name(f".{mark}.replaced{path.suffix}")
    _refuse_foreign(path, replaces)
    try:
        partial.mkdir(parents=True)
        yield partial
        if hasattr(os, "sync"):
            # Once for all: a folder of a hundred thousand fields has millions of files.
            os.sync()
        _refuse_foreign(path, replaces)
        if path.exists():
            path.rename(gone)
        try:
            rename(partial, path)
        except BaseException:
            if gone.exists():
                gone.rename(path)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        told = _told(path, error)
        if told is None:
            raise
        raise told from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if path.exists():
            shutil.rmtree(gone, ignore_errors=True)


def _refuse_foreign(path: Path, replaces: Callable[[Path], bool]) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; name a folder to write.")
    if path.is_dir() and any(path.iterdir()) and not replaces(path):
        raise UsageError(
            f"{path} holds other files, and a folder is replaced only where cellwise wrote it as "
            "the same export. Name another one, or move it away."
        )


def _told(path: Path, error: OSError) -> StorageError | None:
    """The error with advice, None where there is none."""
    advice = _ADVICE.get(error.errno or 0)
    if advice is None:
        return None
    return StorageError(error.errno, f"Cannot write {path}: {error.strerror}. {advice}")


def rename(whole: Path, path: Path) -> None:
    """Give a whole file its name; a file of that name is replaced in one step."""
    for watcher in _watchers:
        watcher.before(path)
    _replace(whole, path)
    for watcher in _watchers:
        watcher.after(path)


def _replace(whole: Path, path: Path) -> None:
    """Windows refuses while somebody reads the file that is replaced: it is tried for a moment."""
    end = time.monotonic() + _HELD
    while True:
        try:
            whole.replace(path)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.02)
        else:
            return


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
