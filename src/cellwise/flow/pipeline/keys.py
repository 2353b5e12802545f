"""Keys decide what has to run: a digest of options, inputs and the step's own `VERSION`.

The package version is not part of a key: an upgrade must not redo 100,000 segmentations. Files
count by path, size and time of change (`files.listed`), and by their content where that was found
to be another one all the same (`files.identity`); tables by their bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.intensities import Scale
from cellwise.domain.records import file_of

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


def frame_digest(frame: pl.DataFrame) -> str:
    """Hash of a small frame's content and column names."""
    return digest(frame.columns, list(zip(*_texts(frame), strict=True)))


def file_keys(sites: pl.DataFrame, contents: Mapping[str, str] | None = None) -> dict[str, str]:
    """One key per site from what `sites.parquet` says of its files and of how they are read.

    Args:
        sites: Rows of that table.
        contents: Hashes of files whose content became another one, by path; they stand in the keys
            of their sites.
    """
    columns = ["channel", "role", "paths", "plane", "colour", "size", "mtime_ns"]
    rows: dict[str, list[tuple[str, ...]]] = {}
    entries = zip(*_texts(sites.select(columns)), strict=True)
    for site, entry, scale in zip(sites["site_id"].to_list(), entries, _scales(sites), strict=True):
        rows.setdefault(site, []).append((*entry, scale) if scale else entry)
    if contents:
        for site, paths in sites.select("site_id", "paths").iter_rows():
            found = [contents.get(file_of(path), "") for path in paths or ()]
            if any(found):
                rows[site].append(tuple(found))
    return {site: digest(columns, entries) for site, entries in rows.items()}


def _scales(sites: pl.DataFrame) -> list[str]:
    """The intensity scale of each file; empty for that of its type, which older runs had too."""
    if "scale" not in sites.columns:
        return [""] * sites.height
    pairs = zip(sites["scale"].to_list(), sites["dtype"].to_list(), strict=True)
    return ["" if text is None or _is_of_type(text, dtype) else text for text, dtype in pairs]


@lru_cache(maxsize=256)
def _is_of_type(scale: str, dtype: str) -> bool:
    return Scale.parse(scale).is_of_type(dtype)


def _texts(frame: pl.DataFrame) -> Iterator[Iterator[str]]:
    """The values of each column as Python writes them."""
    return (map(str, column.to_list()) for column in frame)


def combine(keys: Iterable[str]) -> str:
    """One key for many, in the given order."""
    seen = hashlib.sha256()
    for key in keys:
        seen.update(key.encode() + b"\n")
    return seen.hexdigest()[:24]
