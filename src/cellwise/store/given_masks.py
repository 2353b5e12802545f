"""Finds the masks that a user's folder holds for a field, in any of the usual forms and names.

Names: the field's id, its id as the images' folder writes it, or the name of one of its image
files; with `_cells` and `_nuclei` for two files, or alone, with `_masks`, `_cp_masks` or `_seg` for
one. Two sub-folders `cells` and `nuclei` (or `hpa_cell_mask` and `hpa_nuclei_mask`) do as well.
Forms: label images (`.tif`, `.tiff`, `.png`), numpy files (`.npy`, `.npz`), `.geojson`, and COCO
`.json` files for many fields.

Source: file names of Cellpose (`_masks`, `_cp_masks`, `_seg.npy`), of the HPA 2021 mask archives,
and of a run folder of ours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy.typing as npt

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.store.given_arrays import read_npy, read_npz, read_seg_npy
from cellwise.store.given_coco import CocoFile, read_coco
from cellwise.store.given_geojson import read_geojson
from cellwise.store.given_shapes import Shapes, broken
from cellwise.store.images import read_pixels

Part = npt.NDArray[Any] | Shapes

PICTURES = (".tif", ".tiff", ".png")
ENDINGS = (*PICTURES, ".npz", ".npy", ".geojson", ".json")
_CELLS = ("{}_cells", "cells/{}", "hpa_cell_mask/{}")
_NUCLEI = ("{}_nuclei", "nuclei/{}", "hpa_nuclei_mask/{}")
# The plain name last: a folder may hold copies of the images too.
_SINGLE = ("{}_masks", "{}_cp_masks", "{}")
_PICKLE = "{}_seg.npy"


@dataclass(frozen=True, slots=True)
class Brought:
    """What was found for a field, as it is in the files; `nuclei` None where there is one kind."""

    cells: Part
    nuclei: Part | None = None


class GivenMasks:
    """Fetches what the folder holds for a field; listings and large files are read once.

    Args:
        folder: The folder of masks.
        sites: The fields that may be asked for.
        images: The folder of the images: where it is the same, no image is taken for a mask.
        allow_pickle: Whether Cellpose's `_seg.npy` may be opened.
    """

    def __init__(
        self,
        folder: str | Path,
        sites: Iterable[Site],
        *,
        images: Path | None = None,
        allow_pickle: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.sites = {site.id: site for site in sites}
        self.allow_pickle = allow_pickle
        # Cellpose writes its masks beside the images.
        beside = images is not None and images.resolve() == self.folder.resolve()
        here = (name for site_id in self.sites for name in self._image_names(site_id))
        self._images = frozenset(here) if beside else frozenset()
        self._listed: dict[str, frozenset[str]] = {}
        self._coco_files: list[CocoFile] | None = None

    def __call__(self, site_id: str) -> Brought | None:
        """The masks of a field, None where the folder has none.

        Raises:
            InputError: A file is broken (`mask_file`, or as `read_pixels`), a pickle that was not
                allowed (`mask_pickle`), without a known array (`mask_key`), or there are several
                files for the field (`mask_ambiguous`).
        """
        own, *image_names = self._names(site_id)
        for names in (own, *image_names):
            found = self._files_of(names)
            if found is not None:
                self._refuse_others(site_id, names, [own, *image_names])
                return found
        return self._coco(site_id)

    def matches_any(self) -> bool:
        """Whether there is a file for at least one of the fields; no label image is read.

        Raises:
            InputError: `mask_file`: a file of outlines cannot be read, and nothing else is there.
        """
        for site_id in self.sites:
            if any(self._paths(names) for names in self._names(site_id)):
                return True
        return any(self._coco_places(site_id) for site_id in self.sites)

    def _names(self, site_id: str) -> list[list[str]]:
        """Ids of the field, then each of its image files' own name."""
        site = self.sites[site_id]
        ids = [site.id, site.raw_id, PurePosixPath(site.raw_id).name]
        stems = [str(PurePosixPath(path).with_suffix("")) for path in self._image_names(site_id)]
        groups = [[stem, PurePosixPath(stem).name] for stem in stems]
        kept = [list(dict.fromkeys(group)) for group in groups if not set(group) & set(ids)]
        return [list(dict.fromkeys(ids)), *kept]

    def _image_names(self, site_id: str) -> list[str]:
        """The paths of the field's images, as COCO's `file_name` may say them, and their parts."""
        site = self.sites[site_id]
        paths = [path.partition("#")[0] for entry in site.files for path in entry.paths]
        return list(dict.fromkeys(paths))

    def _files_of(self, names: list[str]) -> Brought | None:
        for name in names:
            cells, nuclei = (self._first(name, forms) for forms in (_CELLS, _NUCLEI))
            single = cells or nuclei or self._first(name, _SINGLE)
            if single is None and self._exists(_PICKLE.format(name)):
                path = self.folder / _PICKLE.format(name)
                return Brought(read_seg_npy(path, allow_pickle=self.allow_pickle))
            if single is None:
                continue
            first = self._read(single)
            if cells is None or nuclei is None:
                return first
            second = self._read(nuclei)
            return Brought(first.cells, second.cells)
        return None

    def _paths(self, names: list[str]) -> bool:
        forms = (*_CELLS, *_NUCLEI, *_SINGLE)
        return any(self._first(n, forms) or self._exists(_PICKLE.format(n)) for n in names)

    def _refuse_others(self, site_id: str, taken: list[str], groups: list[list[str]]) -> None:
        """Masks named after two images of one field: nobody knows which one is meant."""
        if taken is groups[0]:
            return
        others = [names[-1] for names in groups[1:] if names is not taken and self._paths(names)]
        if others:
            raise InputError(
                f"{site_id}: there are masks for {taken[-1]} and for {others[0]}.",
                code="mask_ambiguous",
                remedy=f"Name them {site_id}_cells and {site_id}_nuclei.",
                path=site_id,
            )

    def _first(self, name: str, forms: Iterable[str]) -> str | None:
        for form in forms:
            for ending in ENDINGS:
                place = f"{form.format(name)}{ending}"
                # A mask that was read as an image of its own is known by the end of its name.
                if self._exists(place) and not (form == "{}" and place in self._images):
                    return place
        return None

    def _exists(self, place: str) -> bool:
        """Whether the folder holds this file; names never lead out of it."""
        path = PurePosixPath(place)
        if path.is_absolute() or ".." in path.parts:
            return False
        parent = str(path.parent)
        if parent not in self._listed:
            inside = self.folder / parent
            names = (p.name for p in inside.iterdir()) if inside.is_dir() else ()
            self._listed[parent] = frozenset(names)
        return path.name in self._listed[parent]

    def _read(self, place: str) -> Brought:
        path = self.folder / place
        if path.suffix in PICTURES:
            return Brought(read_pixels(ChannelFile(Channel("mask"), (place,)), self.folder))
        if path.suffix == ".npy":
            return Brought(read_npy(path))
        if path.suffix == ".npz":
            return Brought(*read_npz(path))
        table = read_coco(path) if path.suffix == ".json" else None
        if table is None:
            return Brought(*read_geojson(path))
        image = table.find([path.stem])
        if image is None and len(table.sizes) != 1:
            raise broken(path, f"it describes {len(table.sizes)} pictures, none of this name")
        return Brought(*table.shapes(next(iter(table.sizes)) if image is None else image))

    def _coco(self, site_id: str) -> Brought | None:
        found = self._coco_places(site_id)
        if len(found) > 1:
            listed = " and ".join(table.path.name for table, _ in found)
            raise InputError(
                f"{site_id}: {listed} both describe this field.",
                code="mask_ambiguous",
                remedy="Keep one COCO file per field, with cells and nuclei as categories.",
                path=site_id,
            )
        return Brought(*found[0][0].shapes(found[0][1])) if found else None

    def _coco_places(self, site_id: str) -> list[tuple[CocoFile, Any]]:
        """The COCO files that describe the field, each with the number of its picture there."""
        names = self._image_names(site_id)
        names += [PurePosixPath(name).name for name in names]
        names += [name for group in self._names(site_id) for name in group]
        found = ((table, table.find(names)) for table in self._coco_tables())
        return [(table, number) for table, number in found if number is not None]

    def _coco_tables(self) -> list[CocoFile]:
        """The COCO files at the top of the folder."""
        if self._coco_files is None:
            files = sorted(self.folder.glob("*.json"))
            self._coco_files = [table for path in files if (table := read_coco(path)) is not None]
        return self._coco_files
