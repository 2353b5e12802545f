"""The files below a folder, as their directory entries say: none is opened."""

import hashlib
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

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
        seen.update(plain + f"\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        paths.append(plain.decode())
        numbers["size"].append(facts.st_size)
        numbers["mtime_ns"].append(facts.st_mtime_ns)
        numbers["ctime_ns"].append(facts.st_ctime_ns)
        numbers["inode"].append(facts.st_ino % _INODES)
    columns = {name: pl.Series(name, values, pl.Int64) for name, values in numbers.items()}
    frame = pl.DataFrame({"path": pl.Series("path", paths, pl.String), **columns})
    return Listed(folder, frame, seen.hexdigest()[:24] if there else "")


def listing_digest(folder: Path) -> str:
    """Hash of path, size and time of change of every file below a folder; empty for no folder."""
    return list_files(folder).digest


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
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
            yield f"{place}{entry.name}", facts
        new = [entry for entry in folders if _is_new(Path(entry.path), visited)]
        # The last one is walked first: down into each folder, in the order of their names.
        waiting += [(entry.path, f"{place}{entry.name}/") for entry in reversed(new)]


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
