"""Completion records: `done/<step>.jsonl`, one line per finished site or table.

Only the coordinating process appends (a shard of a run to a file of its own), and only after the
result lies on disk under its final name; so a record means a whole result. A torn last line (a
crash while appending) is ignored and mended.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwise.domain.steps import SiteRecord
from cellwise.errors import StorageError

TABLE = ""
_SYNC_EVERY = 1.0
_JSON = json.JSONEncoder(sort_keys=True)
_ERROR = ("path", "code", "reason", "remedy")


@dataclass(frozen=True, slots=True)
class Done:
    """One record: what was done for `site` (empty for a table step) under `key`."""

    site: str
    key: str
    counts: dict[str, Any] = field(default_factory=dict)
    shard: str = ""
    error: dict[str, str] | None = None


class DoneLog:
    """The records of one step; the latest record of a site counts.

    Args:
        path: The file that is read, mended and appended to.
        under: Records that came before those, of another file that is only read: what a shard of a
            run finds done.

    `latest` are those, `aside` are those among them of sites that are set aside, and `unmerged` are
    the sites whose result no table holds yet: they came after its last record.

    Raises:
        StorageError: The records are there and cannot be read or mended.
    """

    def __init__(self, path: Path, under: Path | None = None) -> None:
        self._path = path
        self._synced = 0.0
        self.latest: dict[str, Done] = {}
        self.aside: dict[str, Done] = {}
        self.unmerged: set[str] = set()
        try:
            for record in () if under is None else records_in(under):
                self._keep(record)
            self._mend_and_load()
        except OSError as error:
            raise StorageError(
                error.errno, f"Cannot read or repair {path}: {error.strerror}."
            ) from error

    def append(self, records: list[Done], *, soon: bool = False) -> None:
        """Add records and sync them to disk.

        Args:
            records: What was done.
            soon: Whether the sync may wait for a later call, for a second at most while records
                come. A killed process loses nothing by that, and a machine without power the work
                of that second.

        Raises:
            StorageError: The disk is full or read-only.
        """
        lines = "".join(_JSON.encode(_as_dict(record)) + "\n" for record in records)
        wait = soon and time.monotonic() - self._synced < _SYNC_EVERY
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as handle:
                handle.write(lines)
                handle.flush()
                if not wait:
                    os.fsync(handle.fileno())
                    self._synced = time.monotonic()
        except OSError as error:
            raise StorageError(
                error.errno,
                f"Cannot write {self._path}: {error.strerror}. Make room there, or allow writing, "
                "and give the same command again.",
            ) from error
        for record in records:
            self._keep(record)

    def void(self, keys: Mapping[str, str]) -> None:
        """Withdraw records of other keys before their results are overwritten.

        Else a run that is killed halfway and then goes back to its earlier settings would take
        the new files for the old ones.
        """
        stale = [
            Done(site, "")
            for site, key in keys.items()
            if site in self.latest and self.latest[site].key not in ("", key)
        ]
        if stale:
            self.append(stale)

    def _keep(self, record: Done) -> None:
        self.latest[record.site] = record
        if record.site == TABLE:
            self.unmerged = set() if record.key else self.unmerged
        elif record.key:
            self.unmerged.add(record.site)
        if record.error is not None:
            self.aside[record.site] = record
        else:
            self.aside.pop(record.site, None)

    def _mend_and_load(self) -> None:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for record in _parsed(whole):
            self._keep(record)
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))


def records_in(path: Path) -> Iterator[Done]:
    """The whole records of a file, in order; none where there is no file."""
    content = path.read_bytes() if path.is_file() else b""
    return _parsed(content[: content.rfind(b"\n") + 1])


def _parsed(lines: bytes) -> Iterator[Done]:
    found = (parse_line(line) for line in lines.splitlines())
    return (record for record in found if record is not None)


def parse_line(line: bytes) -> Done | None:
    """The record on one line; None where the line is torn or no record."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    site, key, shard = (content.get(name) for name in ("site", "key", "shard"))
    counts, error = content.get("counts"), content.get("error")
    if not (isinstance(site, str) and isinstance(key, str) and isinstance(shard, str)):
        return None
    if not isinstance(counts, dict) or not (error is None or _is_error(error)):
        return None
    return Done(site, key, counts, shard, error)


def from_site(record: SiteRecord, key: str, shard: str) -> Done:
    """The completion record of a site."""
    error = None
    if record.error is not None:
        error = {
            "path": record.error.path or record.site_id,
            "code": record.error.code,
            "reason": record.error.reason,
            "remedy": record.error.remedy,
        }
    return Done(record.site_id, key, dict(record.counts), shard, error)


def _is_error(error: Any) -> bool:
    return isinstance(error, dict) and all(isinstance(error.get(name), str) for name in _ERROR)


def _as_dict(record: Done) -> dict[str, Any]:
    return {
        "site": record.site,
        "key": record.key,
        "counts": record.counts,
        "shard": record.shard,
        "error": record.error,
    }
