"""Completion records: `done/<step>.jsonl`, one line per finished site or table.

Only the coordinating process appends, and only after the result lies on disk under its final name;
so a record means a whole result. A torn last line (a crash while appending) is ignored and mended.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellwise.domain.steps import SiteRecord
from cellwise.errors import InputError, StorageError

TABLE = ""


@dataclass(frozen=True, slots=True)
class Done:
    """One record: what was done for `site` (empty for a table step) under `key`."""

    site: str
    key: str
    counts: dict[str, Any] = field(default_factory=dict)
    shard: str = ""
    error: dict[str, str] | None = None


class DoneLog:
    """The records of one step; the latest record of a site counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.latest: dict[str, Done] = {}
        self._mend_and_load()

    def append(self, records: list[Done]) -> None:
        """Add records and sync them to disk.

        Raises:
            StorageError: The disk is full or read-only.
        """
        lines = "".join(json.dumps(_as_dict(record), sort_keys=True) + "\n" for record in records)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as handle:
                handle.write(lines)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise StorageError(error.errno, f"Cannot write {self._path}: {error}") from error
        self.latest.update({record.site: record for record in records})

    def _mend_and_load(self) -> None:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                record = Done(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            self.latest[record.site] = record
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))


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


def as_input_error(error: dict[str, str]) -> InputError:
    """The error that a record describes."""
    return InputError(
        error["reason"], code=error["code"], remedy=error["remedy"], path=error["path"]
    )


def _as_dict(record: Done) -> dict[str, Any]:
    return {
        "site": record.site,
        "key": record.key,
        "counts": record.counts,
        "shard": record.shard,
        "error": record.error,
    }
