"""A folder appears whole or not at all: made beside its place under a hidden name, then renamed."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellwise.errors import StorageError


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it becomes `path`, else it is removed.

    Raises:
        StorageError: The place cannot be written; `path` is as it was before.
    """
    path = path.resolve()
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise StorageError(
                error.errno, f"Cannot make {path}: {error.strerror}. Choose another place."
            ) from error
        yield partial
        try:
            # Not every system renames onto a folder, not even onto an empty one.
            if path.is_dir():
                path.rmdir()
            partial.replace(path)
        except OSError as error:
            raise StorageError(
                error.errno, f"Cannot write {path}: {error.strerror}. Choose another place."
            ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
