"""Keys decide what has to run: a digest of options, inputs and the step's own `VERSION`.

The package version is not part of a key: an upgrade must not redo 100,000 segmentations. Files
count by path, size and time of change; tables by their bytes.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

# Made once: a run of 100,000 sites makes some 400,000 keys.
_JSON = json.JSONEncoder(sort_keys=True, default=str, ensure_ascii=False)


def digest(*parts: Any) -> str:
    """A short hash of anything that JSON can write."""
    content = _JSON.encode(parts)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def file_digest(path: Path) -> str:
    """Hash of a file's bytes; empty where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def listing_digest(folder: Path) -> str:
    """Hash of path, size and time of change of every file below a folder; empty for no folder.

    Links to folders are followed, each folder once.
    """
    if not folder.is_dir():
        return ""
    seen = hashlib.sha256()
    visited = {_place(folder)}
    waiting = [(str(folder), "")]
    while waiting:
        base, place = waiting.pop()
        files, folders = _entries(base)
        for entry in files:
            try:
                facts = entry.stat()
            except OSError:
                continue
            line = f"{place}{entry.name}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
            seen.update(line.encode(errors="replace"))
        new = [entry for entry in folders if _is_new(Path(entry.path), visited)]
        # The last one is walked first: down into each folder, in the order of their names.
        waiting += [(entry.path, f"{place}{entry.name}/") for entry in reversed(new)]
    return seen.hexdigest()[:24]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link in a circle, or into a folder that is closed to us, leads to none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(folder: str) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """Files and folders by name; none of either where the folder cannot be looked into."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return [], []
    folders = [entry for entry in entries if _is_folder(entry)]
    inner = {entry.name for entry in folders}
    return [entry for entry in entries if entry.name not in inner], folders


def frame_digest(frame: pl.DataFrame) -> str:
    """Hash of a small frame's content and column names."""
    return digest(frame.columns, list(zip(*_texts(frame), strict=True)))


def file_keys(sites: pl.DataFrame) -> dict[str, str]:
    """One key per site from what `sites.parquet` says of its files."""
    columns = ["channel", "role", "paths", "plane", "colour", "size", "mtime_ns"]
    rows: dict[str, list[tuple[str, ...]]] = {}
    for site, entry in zip(
        sites["site_id"].to_list(), zip(*_texts(sites.select(columns)), strict=True), strict=True
    ):
        rows.setdefault(site, []).append(entry)
    return {site: digest(columns, entries) for site, entries in rows.items()}


def _texts(frame: pl.DataFrame) -> Iterator[Iterator[str]]:
    """The values of each column as Python writes them."""
    return (map(str, column.to_list()) for column in frame)


def combine(keys: Iterable[str]) -> str:
    """One key for many, in the given order."""
    seen = hashlib.sha256()
    for key in keys:
        seen.update(key.encode() + b"\n")
    return seen.hexdigest()[:24]


def _place(folder: Path) -> tuple[int, int] | None:
    try:
        facts = folder.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _is_new(folder: Path, visited: set[tuple[int, int] | None]) -> bool:
    place = _place(folder)
    if place is None or place in visited:
        return False
    visited.add(place)
    return True
