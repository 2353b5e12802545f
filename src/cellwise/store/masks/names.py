"""What the fields of a run are called, and which names are shared by two of them.

A mask may be named after a field or after one of its images, with or without folders. Without
folders a name can fit fields of two folders: such a name says nothing, and no mask is taken by it.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cellwise.domain.records import Site, file_of
from cellwise.domain.tables import SITES
from cellwise.store.run.tables import read_table

_Row = tuple[str, str, Iterable[str]]


@dataclass(frozen=True, slots=True)
class RunNames:
    """Names over all the fields of a run.

    Args:
        shared: Names that fit two fields, each with the id of the field that it belongs to: the
            one whose id it is, else the one whose whole name it is; None where that is not one.
        images: The paths of all images.
    """

    shared: Mapping[str, str | None]
    images: frozenset[str]

    def belongs(self, name: str, site_id: str) -> bool:
        """Whether this field, which has the name, is the one that is meant by it."""
        return self.shared.get(name, site_id) == site_id


def ids_of(site_id: str, raw_id: str) -> list[str]:
    """A field's id, its id as the images' folder writes it, and the last part of that."""
    return list(dict.fromkeys([site_id, raw_id, posixpath.basename(raw_id.rstrip("/"))]))


def stems_of(image: str) -> list[str]:
    """The path of an image without its ending, and the last part of that."""
    stem = posixpath.splitext(image)[0]
    return list(dict.fromkeys([stem, posixpath.basename(stem)]))


def small_ending(name: str) -> str:
    """A file's name with its ending in small letters."""
    stem, ending = posixpath.splitext(name)
    return f"{stem}{ending.lower()}"


def image_paths(paths: Iterable[str]) -> list[str]:
    """The files of a field's images, each once: several planes may lie in one file."""
    return list(dict.fromkeys(file_of(path) for path in paths))


def names_of_sites(sites: Iterable[Site]) -> RunNames:
    """The names over these fields."""
    return _names(
        (site.id, site.raw_id, [path for entry in site.files for path in entry.paths])
        for site in sites
    )


def names_in_table(path: Path) -> RunNames:
    """The names over all fields of a run's table of sites; those of the last table are kept.

    Raises:
        FormatError: The table is missing, torn or of another kind.
    """
    facts = path.stat()
    return _read(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=1)
def _read(path: Path, size: int, changed: int) -> RunNames:
    """A worker asks again for every batch of fields; `size` and `changed` tell a new table."""
    return _names(read_table(path, SITES).select("site_id", "raw_id", "paths").iter_rows())


def _names(rows: Iterable[_Row]) -> RunNames:
    """From one row or more per field."""
    held: dict[str, tuple[int, str | None]] = {}
    shared: set[str] = set()
    images: set[str] = set()
    for site_id, raw_id, paths in rows:
        files = image_paths(paths)
        images.update(files)
        for rank, names in enumerate(_ranked(site_id, raw_id, files)):
            for name in names:
                best, owner = held.setdefault(name, (rank, site_id))
                if owner == site_id and best <= rank:
                    continue
                if owner != site_id:
                    shared.add(name)
                if rank < best:
                    held[name] = (rank, site_id)
                elif rank == best:
                    held[name] = (rank, None)
    return RunNames({name: held[name][1] for name in shared}, frozenset(images))


def _ranked(site_id: str, raw_id: str, files: list[str]) -> tuple[list[str], ...]:
    """The id, whole names, and last parts: the earlier ones say more surely what is meant."""
    _, *ids = ids_of(site_id, raw_id)
    both = [name for path in files for name in (path, posixpath.basename(path), *stems_of(path))]
    whole = {raw_id, *files, *(stems_of(path)[0] for path in files)}
    return [site_id], list(whole), [name for name in (*ids, *both) if name not in whole]
