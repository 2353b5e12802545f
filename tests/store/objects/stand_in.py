"""A place of files in memory that misbehaves as it is told to."""

import hashlib
import threading
from typing import TYPE_CHECKING

from cellwise.store.objects.source import Damaged, Entry, Other

if TYPE_CHECKING:
    from collections.abc import Callable


class MemorySource:
    """Files by name; `before` is called with each name before its bytes are given."""

    name = "plate1"
    address = "s3://screen/plate1"

    def __init__(self, files, *, page=2):
        self.files, self.page = dict(files), page
        self.asked, self.listed = [], 0
        self.before: Callable[[str], object] = lambda name: None
        self.lock = threading.Lock()

    def pages(self):
        self.listed += 1
        entries = [
            Entry(name, len(content), hashlib.md5(content).hexdigest(), name)
            for name, content in self.files.items()
        ]
        for start in range(0, len(entries), self.page):
            yield entries[start : start + self.page]

    def content(self, entry):
        with self.lock:
            self.asked.append(entry.name)
        self.before(entry.name)
        content = self.files.get(entry.name)
        if content is None or hashlib.md5(content).hexdigest() != entry.tag:
            raise Other(entry.name)
        for start in range(0, len(content), 3):
            yield content[start : start + 3]

    def close(self):
        pass


def once(error, name):
    """What fails for one file, the first time it is asked for."""
    left = [error]

    def before(asked):
        if asked == name and left:
            raise left.pop()

    return before


def always(error, name):
    """What fails for one file, each time it is asked for."""

    def before(asked):
        if asked == name:
            raise error

    return before


__all__ = ["Damaged", "MemorySource", "always", "once"]
