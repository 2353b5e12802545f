"""What a local copy holds, one line per file, appended once it lies there whole.

A file counts as the one of the store while its line names the same size and tag and the file itself
has that size and the time that stands for the tag. Times of change are made from tags, so that the
keys of a run say the same of a file wherever and whenever it was fetched.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from cellwise.errors import StorageError
from cellwise.store.atomic import write_text
from cellwise.store.objects.source import Entry

NAME = "objects.jsonl"
# In seconds: after 1980, where some disks begin to count, and before 2038, where others end.
_FIRST, _LAST = 400_000_000, 2_100_000_000
_SECOND = 10**9


def time_of(tag: str) -> int:
    """The time of change in ns that stands for a tag: even seconds, which every disk keeps."""
    number = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8], "big")
    return (_FIRST + number % (_LAST - _FIRST)) // 2 * 2 * _SECOND


class Ledger:
    """The files of a copy; for many threads.

    Args:
        home: Folder of the ledger.
        files: Folder of the files.
    """

    def __init__(self, home: Path, files: Path) -> None:
        self._path, self._files = home / NAME, files
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, str]] = {}
        if self._path.is_file():
            self._read()

    def holds(self, entry: Entry) -> bool:
        """Whether the file of this entry lies there, with its content."""
        if self._known.get(entry.name) != (entry.size, entry.tag):
            return False
        try:
            facts = os.lstat(self._files / entry.name)
        except OSError:
            return False
        return facts.st_size == entry.size and facts.st_mtime_ns == time_of(entry.tag)

    def add(self, entry: Entry) -> None:
        """Note a file that lies there whole.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        with self._lock:
            try:
                with self._path.open("a", encoding="utf-8") as stream:
                    stream.write(_line(entry))
            except OSError as error:
                raise StorageError(
                    error.errno, f"Cannot write {self._path}: {error.strerror or error}."
                ) from error
            self._known[entry.name] = (entry.size, entry.tag)

    def settle(self, entries: Iterable[Entry]) -> None:
        """Write the ledger anew, with these files only."""
        write_text(self._path, "".join(map(_line, entries)))

    def _read(self) -> None:
        whole = self._path.read_bytes()
        lines = whole.split(b"\n")
        if lines.pop():
            # A line that was torn; the next one begins again.
            with self._path.open("ab") as stream:
                stream.write(b"\n")
        for line in lines:
            try:
                entry = json.loads(line)
                self._known[entry["name"]] = (int(entry["size"]), str(entry["tag"]))
            except (ValueError, TypeError, KeyError):
                continue


def _line(entry: Entry) -> str:
    facts = {"name": entry.name, "size": entry.size, "tag": entry.tag}
    return json.dumps(facts, ensure_ascii=False) + "\n"
