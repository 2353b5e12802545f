"""The files below a folder, as their directory entries say: none is opened.

A folder that is one image (OME-Zarr) is one file, whose size and times are those of all in it.
"""

import hashlib
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellwise.store.images.ome_zarr import folder_facts
from cellwise.store.images.zarr_plates import is_ome_zarr

# What tells an image in pieces lies in one of these.
_PIECES = {"zarr.json", ".zattrs"}
# Some file systems give 64 bits without a sign.
_INODES = 2**63


@dataclass(frozen=True, slots=True)
class Listed:
    """What a folder holds.

    Args:
        folder: The folder.
        files: One row per file, in the order of the walk: `path` relative to the folder, `size` in
            bytes, `mtime_ns` (time of change of its content), `ctime_ns` (of anything about it, its
            name too) and `inode` (its place on the disk).
        digest: Hash of path, size and `mtime_ns` of each; empty where there is no folder.
    """

    folder: Path
    files: pl.DataFrame
    digest: str

    def digest_with(self, contents: Mapping[str, str]) -> str:
        """The digest where some files, by path, have become of another content; by its hash."""
        if not contents:
            return self.digest
        seen = hashlib.sha256()
        for path, size, time in self.files.select("path", "size", "mtime_ns").iter_rows():
            content = contents.get(path)
            more = f"\0{content}" if content else ""
            seen.update(f"{path}\0{size}\0{time}{more}\n".encode())
        return seen.hexdigest()[:24]


def list_files(folder: Path) -> Listed:
    """List every file below a folder; links to folders are followed, each folder once."""
    seen = hashlib.sha256()
    paths: list[str] = []
    numbers = {name: array("q") for name in ("size", "mtime_ns", "ctime_ns", "inode")}
    there = folder.is_dir()
    for path, facts in _walk(folder) if there else ():
        # What is no text keeps its place in the digest; nobody reads such a file.
        plain = path.encode(errors="replace")
        size, time, *_ = facts
        seen.update(plain + f"\0{size}\0{time}\n".encode())
        paths.append(plain.decode())
        for column, number in zip(numbers.values(), facts, strict=True):
            column.append(number)
    columns = {name: pl.Series(name, values, pl.Int64) for name, values in numbers.items()}
    frame = pl.DataFrame({"path": pl.Series("path", paths, pl.String), **columns})
    return Listed(folder, frame, seen.hexdigest()[:24] if there else "")


def listing_digest(folder: Path) -> str:
    """Hash of path, size and time of change of every file below a folder; empty for no folder."""
    return list_files(folder).digest


def _walk(folder: Path) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Each file with its size, its times and its place on the disk."""
    visited = {_place(folder)}
    waiting = [(str(folder), "")]
    while waiting:
        base, place = waiting.pop()
        files, folders = _entries(base)
        whole = _one_image(Path(base)) if place and _PIECES & {e.name for e in files} else None
        if whole is not None:
            yield place.rstrip("/"), whole
            continue
        for entry in files:
            try:
                facts = entry.stat()
            except OSError:
                continue
            numbers = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino % _INODES)
            yield f"{place}{entry.name}", numbers
        new = [entry for entry in folders if _is_new(Path(entry.path), visited)]
        # The last one is walked first: down into each folder, in the order of their names.
        waiting += [(entry.path, f"{place}{entry.name}/") for entry in reversed(new)]


def _one_image(folder: Path) -> tuple[int, int, int, int] | None:
    if not is_ome_zarr(folder):
        return None
    try:
        facts = folder_facts(folder)
    except OSError:
        return None
    return facts.size, facts.times, facts.changes, facts.inode


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
