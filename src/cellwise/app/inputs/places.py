"""Where copies of images lie that came from an object store or a zip file."""

import hashlib
import os
import sys
from pathlib import Path

from cellwise.errors import UsageError
from cellwise.store.objects.address import looks_like_address

VARIABLE = "CELLWISE_CACHE"
_LETTERS = 12
_LONGEST = 60


def cache_folder(named: Path | str | None) -> Path:
    """The folder of all copies: as named, else that of the environment, else the user's own.

    Raises:
        UsageError: It is an address, or a file.
    """
    said = str(named or os.environ.get(VARIABLE) or "")
    if not said:
        return _users() / "cellwise" / "inputs"
    if looks_like_address(said):
        raise UsageError(
            "The cache is a folder of this machine, and this is an address. Name a folder with "
            f"--cache or {VARIABLE}."
        )
    folder = Path(said).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"The cache {folder} is a file. Name a folder with --cache or {VARIABLE}.")
    return folder.absolute()


def home_of(cache: Path, name: str, address: str) -> Path:
    """The folder of one copy: its name for people, and a sum that no other address has."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:_LONGEST]
    return cache / f"{plain}-{hashlib.sha256(address.encode()).hexdigest()[:_LETTERS]}"


def _users() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
