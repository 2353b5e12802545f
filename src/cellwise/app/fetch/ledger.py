"""What a folder of fetched images holds: one line per image, appended once it lies there whole.

An image without a line is decoded before it counts, so that a torn line or a foreign file is never
taken for done.
"""

import json
import threading
from dataclasses import asdict
from pathlib import Path

from cellwise.app.fetch.images import StoredImage, read_image
from cellwise.errors import InputError, StorageError

NAME = "fetched.jsonl"


class Ledger:
    """The images of a folder; for many threads.

    Args:
        folder: The folder.
        verify: Read and decode again what is there, whatever was written down.
    """

    def __init__(self, folder: Path, *, verify: bool = False) -> None:
        self._folder, self._verify = folder, verify
        self._lock = threading.Lock()
        self._known: dict[str, StoredImage] = {}
        self._path = folder / NAME
        if self._path.is_file():
            self._read()

    def held(self, name: str) -> StoredImage | None:
        """The image of this name if it lies there whole."""
        path = self._folder / name
        try:
            size = path.stat().st_size
        except OSError:
            return None
        known = self._known.get(name)
        if known is not None and known.size == size and not self._verify:
            return known
        try:
            found = read_image(path)
        except InputError:
            return None
        if known is not None and known.sha256 != found.sha256:
            # Not what was fetched, though it decodes.
            return None
        if known is None:
            self.add(name, found)
        return found

    def add(self, name: str, image: StoredImage) -> None:
        """Note an image that lies there under its name.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        line = json.dumps({"file": name, **asdict(image)})
        with self._lock:
            try:
                with self._path.open("a", encoding="utf-8") as stream:
                    stream.write(f"{line}\n")
            except OSError as error:
                raise StorageError(
                    error.errno, f"Cannot write {self._path}: {error.strerror or error}."
                ) from error
            self._known[name] = image

    def forget(self, name: str) -> None:
        """Remove an image that turned out not to be the right one."""
        (self._folder / name).unlink(missing_ok=True)
        with self._lock:
            self._known.pop(name, None)

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
                name = entry.pop("file")
                self._known[name] = StoredImage(**entry)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
