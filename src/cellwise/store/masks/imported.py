"""Finds the masks that a user's folder holds for a field, in any of the usual forms and names.

Names: the field's id, its id as the images' folder writes it, or the name of one of its image
files; with `_cells` and `_nuclei` for two files, or alone, with `_masks`, `_cp_masks` or `_seg` for
one. Two sub-folders `cells` and `nuclei` (or `hpa_cell_mask` and `hpa_nuclei_mask`) do as well. No
mask is taken by a name that fits two fields of the run, or where several files have the name.
Forms: label images (`.tif`, `.tiff`, `.png`), numpy files (`.npy`, `.npz`), `.geojson`, and COCO
`.json` files for many fields.

Source: file names of Cellpose (`_masks`, `_cp_masks`, `_seg.npy`), of the HPA 2021 mask archives,
and of a run folder of ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from cellwise.domain.records import Site
from cellwise.errors import InputError
from cellwise.store.images.fields import read_header
from cellwise.store.masks.arrays import read_npy, read_npz, read_seg_npy
from cellwise.store.masks.brought import Brought, read_label_image
from cellwise.store.masks.coco import CocoFile, read_coco
from cellwise.store.masks.geojson import read_geojson
from cellwise.store.masks.names import (
    ids_of,
    image_paths,
    names_in_table,
    names_of_sites,
    small_ending,
    stems_of,
)
from cellwise.store.masks.shapes import broken

IMAGES = (".tif", ".tiff", ".png")
ENDINGS = (*IMAGES, ".npz", ".npy", ".geojson", ".json")
_CELLS = ("{}_cells", "cells/{}", "hpa_cell_mask/{}")
_NUCLEI = ("{}_nuclei", "nuclei/{}", "hpa_nuclei_mask/{}")
# The plain name last: a folder may hold copies of the images too.
_SINGLE = ("{}_masks", "{}_cp_masks", "{}")
_PICKLE = "{}_seg.npy"
# Each says that cells are meant.
_OF_CELLS = (*_CELLS, "{}_masks", "{}_cp_masks")


class GivenMasks:
    """Fetches what the folder holds for a field; listings and large files are read once.

    Args:
        folder: The folder of masks.
        sites: The fields that may be asked for.
        table: The run's table of sites, where `sites` are some of these only: a name that fits
            several fields of the run says nothing. Without it `sites` are all.
        images: The folder of the images: where it is the same, no image is taken for a mask.
        allow_pickle: Whether Cellpose's `_seg.npy` may be opened.
    """

    def __init__(
        self,
        folder: str | Path,
        sites: Iterable[Site],
        *,
        table: Path | None = None,
        images: Path | None = None,
        allow_pickle: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.sites = {site.id: site for site in sites}
        self.allow_pickle = allow_pickle
        self._home = images
        # Cellpose writes its masks beside the images.
        beside = images is not None and images.resolve() == self.folder.resolve()
        self._run = names_of_sites(self.sites.values()) if table is None else names_in_table(table)
        self._images = self._run.images if beside else frozenset()
        self._listed: dict[str, dict[str, list[str]]] = {}
        self._coco_files: list[CocoFile] | None = None

    def __call__(self, site_id: str) -> Brought | None:
        """The masks of a field, None where the folder has none.

        Raises:
            InputError: A file is broken (`mask_file`, or as `read_pixels`), a stack of images
                (`mask_values`), a pickle that was not allowed (`mask_pickle`), without a known
                array (`mask_key`), or there are several files for the field, or a file that fits
                another field as well (`mask_ambiguous`), or it asks to be shown turned otherwise
                than the images (`mask_turned`).
        """
        groups = [self._own(site_id, names) for names in self._names(site_id)]
        for names in groups:
            found = self._files_of(names)
            if found is not None:
                self._refuse_others(site_id, names, groups)
                return self._marked(site_id, found)
        outlines = self._coco(site_id)
        if outlines is None:
            self._refuse_shared(site_id)
        return outlines and self._marked(site_id, outlines)

    def matches_any(self) -> bool:
        """Whether there is a file for at least one of the fields; no label image is read.

        Raises:
            InputError: `mask_file`: a file of outlines cannot be read, and nothing else is there.
        """
        if any(self._has_file(site_id) for site_id in self.sites):
            return True
        return any(self._described(site_id) for site_id in self.sites)

    def missing(self) -> list[str]:
        """The fields for which there is nothing at all under any of their names.

        Raises:
            InputError: `mask_file`, as `matches_any`.
        """
        rest = [site_id for site_id in self.sites if not self._has_file(site_id)]
        return [site_id for site_id in rest if not self._described(site_id)]

    def _has_file(self, site_id: str) -> bool:
        return any(self._paths(names) for names in self._names(site_id))

    def _described(self, site_id: str) -> bool:
        """Whether a COCO file has the field, under shared names too: each says why."""
        return bool(self._coco_places(self._coco_names(site_id)))

    def _names(self, site_id: str) -> list[list[str]]:
        """Ids of the field, then each of its image files' own name."""
        site = self.sites[site_id]
        ids = ids_of(site.id, site.raw_id)
        groups = [stems_of(path) for path in self._image_names(site_id)]
        return [ids, *(group for group in groups if not set(group) & set(ids))]

    def _image_names(self, site_id: str) -> list[str]:
        """The paths of the field's images, as COCO's `file_name` may say them."""
        return image_paths(path for entry in self.sites[site_id].files for path in entry.paths)

    def _own(self, site_id: str, names: Sequence[str]) -> list[str]:
        """Those of its names by which this field is meant and no other."""
        return [name for name in names if self._run.belongs(name, site_id)]

    def _files_of(self, names: list[str]) -> Brought | None:
        for name in names:
            self._only(name, *([form] for form in _OF_CELLS))
            cells, nuclei = (self._only(name, forms) for forms in (_CELLS, _NUCLEI))
            single = cells or nuclei or self._only(name, _SINGLE)
            pickled = None if single else self._only(name, (_PICKLE,))
            if pickled is not None:
                path = self.folder / pickled
                return Brought(read_seg_npy(path, allow_pickle=self.allow_pickle))
            if single is None:
                continue
            first = self._read(single)
            if cells is None or nuclei is None:
                return first
            second = self._read(nuclei)
            return Brought(first.cells, second.cells, max(first.turned, second.turned))
        return None

    def _paths(self, names: list[str]) -> bool:
        forms = (_CELLS, _NUCLEI, _SINGLE, (_PICKLE,))
        return any(self._places(name, form) for name in names for form in forms)

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

    def _marked(self, site_id: str, found: Brought) -> Brought:
        """Pixels are taken as they are stored, so a mask marked unlike its image may lie turned."""
        files = self.sites[site_id].files
        if self._home is None or not files:
            return found
        path = self._home / files[0].paths[0].partition("#")[0]
        # Of folders (OME-Zarr) and of images that are gone nothing asks to be turned.
        image = read_header(path).turned if path.is_file() else 1
        if found.turned == 1:
            return replace(found, image_turned=image)
        if found.turned != image:
            raise InputError(
                f"{site_id}: the mask has a mark to be shown turned (orientation {found.turned}), "
                f"the image has not (orientation {image}), and both are read as they are stored.",
                code="mask_turned",
                remedy="Save the mask as the image is stored, without such a mark.",
                path=site_id,
            )
        return found

    def _refuse_shared(self, site_id: str) -> None:
        """A file under a name that another field has as well: it may be the mask of either."""
        names = self._coco_names(site_id)
        for name in [name for name in names if not self._run.belongs(name, site_id)]:
            found = self._coco_places([name])
            # A mask with the whole path of an image is that of its field.
            described = any(t.files[number] not in self._run.images for t, number in found)
            if described or self._paths([name]):
                raise InputError(
                    f"{site_id}: there are masks for {name}, a name that another field has too.",
                    code="mask_ambiguous",
                    remedy=f"Name them {site_id}, or with their folders as the images have them.",
                    path=site_id,
                )

    def _only(self, name: str, *kinds: Sequence[str]) -> str | None:
        """The one file of this name, of each kind in the first form that there is."""
        places = [place for forms in kinds for place in self._places(name, forms)]
        if len(places) > 1:
            raise InputError(
                f"{name}: there are {' and '.join(places)}.",
                code="mask_ambiguous",
                remedy="Keep one file of that name.",
                path=str(self.folder / places[0]),
            )
        return places[0] if places else None

    def _places(self, name: str, forms: Sequence[str]) -> list[str]:
        """All files of this name in the first form that there is."""
        for form in forms:
            # A mask that was read as an image of its own is known by the end of its name.
            barred = self._images if form == "{}" else frozenset()
            wanted = [form] if form == _PICKLE else [f"{form}{ending}" for ending in ENDINGS]
            found = [place for one in wanted for place in self._there(one.format(name))]
            if left := [place for place in found if place not in barred]:
                return left
        return []

    def _there(self, place: str) -> list[str]:
        """The files of the folder at this place, whatever the case of their ending.

        Names never lead out of the folder.
        """
        path = PurePosixPath(place)
        if path.is_absolute() or ".." in path.parts:
            return []
        parent = str(path.parent)
        if parent not in self._listed:
            inside = self.folder / parent
            listed: dict[str, list[str]] = {}
            for name in sorted(p.name for p in inside.iterdir()) if inside.is_dir() else ():
                listed.setdefault(small_ending(name), []).append(str(path.parent / name))
            self._listed[parent] = listed
        return self._listed[parent].get(path.name, [])

    def _read(self, place: str) -> Brought:
        path = self.folder / place
        ending = path.suffix.lower()
        if ending in IMAGES:
            return read_label_image(self.folder, place)
        if ending == ".npy":
            return Brought(read_npy(path))
        if ending == ".npz":
            return Brought(*read_npz(path))
        table = read_coco(path) if ending == ".json" else None
        if table is None:
            return Brought(*read_geojson(path))
        image = table.find([path.stem])
        if image is None and len(table.sizes) != 1:
            raise broken(path, f"it describes {len(table.sizes)} images, none of this name")
        return Brought(*table.shapes(next(iter(table.sizes)) if image is None else image))

    def _coco(self, site_id: str) -> Brought | None:
        found = self._coco_places(self._own(site_id, self._coco_names(site_id)))
        if len(found) > 1:
            listed = " and ".join(table.path.name for table, _ in found)
            raise InputError(
                f"{site_id}: {listed} both describe this field.",
                code="mask_ambiguous",
                remedy="Keep one COCO file per field, with cells and nuclei as categories.",
                path=site_id,
            )
        return Brought(*found[0][0].shapes(found[0][1])) if found else None

    def _coco_names(self, site_id: str) -> list[str]:
        """All names of the field, those of its images with and without their ending."""
        paths = self._image_names(site_id)
        last = [PurePosixPath(path).name for path in paths]
        return [*paths, *last, *(name for group in self._names(site_id) for name in group)]

    def _coco_places(self, names: list[str]) -> list[tuple[CocoFile, Any]]:
        """The COCO files that have an image of one of these names, each with its number there."""
        found = ((table, table.find(names)) for table in self._coco_tables())
        return [(table, number) for table, number in found if number is not None]

    def _coco_tables(self) -> list[CocoFile]:
        """The COCO files at the top of the folder."""
        if self._coco_files is None:
            files = [p for p in sorted(self.folder.glob("*.*")) if p.suffix.lower() == ".json"]
            self._coco_files = [table for path in files if (table := read_coco(path)) is not None]
        return self._coco_files
