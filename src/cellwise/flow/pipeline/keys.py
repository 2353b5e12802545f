"""Keys decide what has to run: a digest of options, inputs and the step's own `VERSION`.

The package version is not part of a key: an upgrade must not redo 100,000 segmentations. Files
count by path, size and time of change; tables by their bytes.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl


def digest(*parts: Any) -> str:
    """A short hash of anything that JSON can write."""
    content = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
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
    seen = hashlib.sha256()
    if not folder.is_dir():
        return ""
    visited = {_place(folder)}
    for base, folders, files in os.walk(folder, followlinks=True):
        # The walk goes on with what is left in this list.
        folders[:] = [name for name in sorted(folders) if _is_new(Path(base) / name, visited)]
        for name in sorted(files):
            path = Path(base) / name
            try:
                facts = path.stat()
            except OSError:
                continue
            place = os.path.relpath(path, folder)
            seen.update(f"{place}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode(errors="replace"))
    return seen.hexdigest()[:24]


def frame_digest(frame: pl.DataFrame) -> str:
    """Hash of a small frame's content and column names."""
    return digest(frame.columns, [list(map(str, row)) for row in frame.iter_rows()])


def file_keys(sites: pl.DataFrame) -> dict[str, str]:
    """One key per site from what `sites.parquet` says of its files."""
    columns = ["channel", "role", "paths", "plane", "colour", "size", "mtime_ns"]
    return {
        str(site): frame_digest(rows.select(columns))
        for (site,), rows in sites.group_by("site_id", maintain_order=True)
    }


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
