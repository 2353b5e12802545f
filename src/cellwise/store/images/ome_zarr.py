"""OME-Zarr: a folder that is one image, in pieces, with its axes stated.

Read with zarr, of NGFF 0.4 and 0.5 (Moore et al. 2023): the full resolution of the first multiscale
image, or of each image of a folder that bioformats2raw wrote. Smaller copies and labels are left.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import by_number, counted
from cellwise.errors import InputError
from cellwise.store.images.pixel_sizes import plausible
from cellwise.store.images.scenes import Scene
from cellwise.store.images.zarr_pieces import find_gaps, refuse_cut_pieces
from cellwise.store.images.zarr_plates import attributes_of

__all__ = ["FolderFacts", "folder_digest", "folder_facts", "ome_zarr_scenes"]

_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}
_LETTERS = {"time": "T", "channel": "C"}
# Numbers of 63 bits fit into every table.
_BITS = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What the disk says of a folder that is one image; nothing in it is opened.

    Args:
        size: Bytes of all files in it.
        times: A number made of the names, sizes and times of change of all files: other where any
            of them is.
        changes: The same of the times of any change, and of the places on the disk.
        inode: The folder's place on the disk.
    """

    size: int
    times: int
    changes: int
    inode: int


def folder_facts(folder: Path) -> FolderFacts:
    """Size and times of a folder with all that is in it.

    Raises:
        OSError: A file in it cannot be reached.
    """
    size = 0
    times, changes = hashlib.sha256(), hashlib.sha256()
    for name, path in _files(folder):
        facts = path.stat()
        size += facts.st_size
        times.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        changes.update(f"{name}\0{facts.st_ctime_ns}\0{facts.st_ino}\n".encode())
    first, second = (int.from_bytes(h.digest()[:8]) & _BITS for h in (times, changes))
    return FolderFacts(size, first, second, folder.stat().st_ino & _BITS)


def folder_digest(folder: Path) -> str:
    """SHA-256 of all files in a folder, with their names."""
    seen = hashlib.sha256()
    for name, path in _files(folder):
        with path.open("rb") as stream:
            seen.update(f"{name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return seen.hexdigest()


def ome_zarr_scenes(folder: Path) -> tuple[Scene, ...]:
    """The images of a folder; nothing is decoded.

    Raises:
        InputError: `unreadable` for another kind of Zarr, or several images side by side in one;
            `planes_missing` where one of several images is not there.
    """
    said = attributes_of(folder)
    if "bioformats2raw.layout" not in said:
        return (_scene(folder, said),)
    return tuple(
        _scene(folder / name, attributes_of(folder / name)) for name in _series_names(folder)
    )


def _series_names(folder: Path) -> list[str]:
    """The images that bioformats2raw wrote: those it lists, else all that are numbered."""
    stated = attributes_of(folder / "OME").get("series")
    numbered = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
    names = [str(name) for name in stated or range(max(numbered, default=-1) + 1)]
    lost = sum(not (folder / name).is_dir() for name in names)
    if lost:
        raise InputError(
            f"Of {counted(len(names), 'images')} of the folder, {lost} "
            f"{by_number(lost, 'is', 'are')} not in it.",
            code="planes_missing",
            remedy="Copy it again from its source, all folders in it.",
        )
    return names


def _scene(folder: Path, said: Mapping[str, Any]) -> Scene:
    import zarr

    images = said.get("multiscales") or []
    if len(images) != 1:
        raise InputError(
            f"The folder states {counted(len(images), 'images')} side by side, and one "
            "can be read.",
            code="unreadable",
            remedy="Save one image per OME-Zarr, or export it as OME-TIFF.",
        )
    level, *smaller = images[0]["datasets"]
    array = zarr.open_array(folder / level["path"], mode="r")
    axes = _axes(images[0])
    gaps = find_gaps(folder / level["path"], array, axes, partial(_copies, folder, array, smaller))
    named = (said.get("omero") or {}).get("channels") or []
    names = tuple(str(channel.get("label") or "").strip() for channel in named)
    return Scene(
        axes=axes,
        shape=tuple(int(length) for length in array.shape),
        dtype=np.dtype(array.dtype).name,
        take=partial(_take, folder / level["path"], array, axes),
        channel_names=names if all(names) else (),
        pixel_size=_pixel_size(images[0], level, -1),
        pixel_height=_pixel_size(images[0], level, -2),
        gaps=gaps,
    )


def _copies(folder: Path, array: Any, levels: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The smaller copies that can be opened, the smallest first."""
    import zarr

    found = []
    for level in levels:
        try:
            copy = zarr.open_array(folder / level["path"], mode="r")
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if copy.ndim == array.ndim and 0 not in copy.shape:
            found.append(copy)
    return found[::-1]


def _axes(image: Mapping[str, Any]) -> str:
    """A letter for each axis: by its type, where its name is no single letter."""
    letters = []
    for axis in image.get("axes") or ():
        said = axis if isinstance(axis, dict) else {"name": axis}
        name = str(said.get("name", "")).upper()
        letters.append(_LETTERS.get(str(said.get("type", "")).lower(), name[:1] or "?"))
    # NGFF before 0.3 states none: they are always these.
    return "".join(letters) or "TCZYX"


def _pixel_size(image: Mapping[str, Any], level: Mapping[str, Any], place: int) -> float | None:
    """Micrometres per pixel along an axis: -1 is across, -2 down."""
    axes = image.get("axes") or ()
    last = axes[place] if len(axes) >= -place else {}
    factor = _MICROMETRES.get(last.get("unit", "")) if isinstance(last, dict) else None
    size = factor
    for step in (
        *(level.get("coordinateTransformations") or ()),
        *(image.get("coordinateTransformations") or ()),
    ):
        if size is not None and step.get("type") == "scale" and step.get("scale"):
            size *= float(step["scale"][place])
    return plausible(size)


def _take(folder: Path, array: Any, axes: str, chosen: Mapping[str, int]) -> npt.NDArray[Any]:
    refuse_cut_pieces(folder, array, axes, chosen)
    return np.asarray(array[tuple(chosen.get(axis, slice(None)) for axis in axes)])


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """All files in a folder by their names in it, in one order everywhere."""
    for base, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            path = Path(base, name)
            yield path.relative_to(folder).as_posix(), path


def _raise(error: OSError) -> None:
    raise error
