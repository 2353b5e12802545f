"""Copies in the cache: which there are, how large, when they were read, and deleting them."""

import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from cellwise.app.inputs.readers import last_read, reader_of
from cellwise.errors import RunLocked, StorageError
from cellwise.flow.pipeline.lock import holder_of, locked
from cellwise.store.objects.ledger import NAME
from cellwise.store.objects.mirror import ABOUT

# How the folder of a copy is called, see `places.home_of`.
_HOME = re.compile(r".{1,60}-[0-9a-f]{12}")
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the cache.

    Args:
        home: Its folder.
        address: What it is a copy of; empty for one that was never fetched whole.
        size: Bytes of its files.
        read: When it was read last, in seconds of the epoch.
    """

    home: Path
    address: str
    size: int
    read: float


def copies(cache: Path) -> list[Copy]:
    """The copies of a cache, in the order of their names; folders of anything else are left out."""
    if not cache.is_dir():
        return []
    homes = (path for path in sorted(cache.iterdir()) if _is_copy(path))
    return [Copy(home, _address(home), _size(home), last_read(home)) for home in homes]


def _is_copy(home: Path) -> bool:
    """Whether cellwise made this folder: its name and what it holds say so."""
    if home.is_symlink() or not home.is_dir() or _HOME.fullmatch(home.name) is None:
        return False
    return (home / ABOUT).is_file() or (home / NAME).is_file()


def _address(home: Path) -> str:
    try:
        facts = json.loads((home / ABOUT).read_text(encoding="utf-8"))
        return str(facts["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _size(home: Path) -> int:
    return sum(path.lstat().st_size for path in home.rglob("*") if not path.is_dir())


def delete_copies(
    cache: Path, *, unread_days: float = 0.0, dry_run: bool = False
) -> tuple[list[Copy], dict[Path, str]]:
    """Delete copies that nobody reads or fetches.

    Args:
        cache: The folder of all copies.
        unread_days: Only those that were last read so many days ago or more.
        dry_run: Only find out which.

    Returns:
        Copies that were deleted, or would be; and those in use, with the process that uses each.

    Raises:
        StorageError: Something cannot be deleted; the same call goes on.
    """
    before = time.time() - unread_days * _DAY
    gone: list[Copy] = []
    used: dict[Path, str] = {}
    for copy in copies(cache):
        if copy.read > before:
            continue
        try:
            with locked(copy.home):
                if who := reader_of(copy.home):
                    used[copy.home] = who
                    continue
                if not dry_run:
                    _delete(copy.home)
        except RunLocked:
            used[copy.home] = holder_of(copy.home)
            continue
        gone.append(copy)
    if not dry_run:
        for copy in gone:
            # Of a folder that is held only the lock is left.
            shutil.rmtree(copy.home, ignore_errors=True)
    return gone, used


def _delete(home: Path) -> None:
    """Delete all but the lock; what says that it is a copy goes last, so that a rest is found."""
    kept = {".lock", ".lock.json", ABOUT, NAME}
    try:
        for path in sorted(home.iterdir()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in kept:
                path.unlink()
        for name in (ABOUT, NAME):
            (home / name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            error.errno,
            f"Cannot delete {error.filename or home}: {error.strerror}. See to that and give the "
            "same command again.",
        ) from error
