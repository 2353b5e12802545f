"""OME-Zarr: a folder that is one image, in pieces, with its axes stated.

Read with zarr, of NGFF 0.4 and 0.5 (Moore et al. 2023): the full resolution of the first multiscale
image, or of each image of a folder that bioformats2raw wrote. Smaller copies and labels are left.
"""

import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError
from cellwise.store.images.scenes import Scene
from cellwise.store.images.structure import truncated

__all__ = [
    "FolderFacts",
    "folder_digest",
    "folder_facts",
    "images_in",
    "is_ome_zarr",
    "ome_zarr_scenes",
]

_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}
_LETTERS = {"time": "T", "channel": "C"}
_PLAUSIBLE = (0.005, 50.0)
_BLOSC_HEAD = 16
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


def is_ome_zarr(folder: Path) -> bool:
    """Whether a folder is an image of OME-Zarr by what it says of itself."""
    try:
        said = _attributes(folder)
    except (OSError, ValueError):
        return False
    # A plate that bioformats2raw wrote states both; its images lie in its wells.
    return bool(said.get("multiscales")) or (
        "bioformats2raw.layout" in said and "plate" not in said
    )


def images_in(folder: Path) -> tuple[str, ...]:
    """The images of OME-Zarr in a Zarr folder, by their paths in it.

    Returns:
        One empty path for a folder that is an image; `A/1/0`... for the fields of a plate; nothing
        for any other Zarr.
    """
    if is_ome_zarr(folder):
        return ("",)
    try:
        plate = _attributes(folder).get("plate")
        wells = [str(well["path"]) for well in plate["wells"]] if plate else []
        return tuple(
            f"{well}/{image['path']}"
            for well in wells
            for image in _attributes(folder / well)["well"]["images"]
        )
    except (OSError, ValueError, LookupError, TypeError):
        return ()


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
            `planes_missing`.
    """
    said = _attributes(folder)
    if "bioformats2raw.layout" not in said:
        return (_scene(folder, said),)
    return tuple(
        _scene(folder / name, _attributes(folder / name)) for name in _series_names(folder)
    )


def _series_names(folder: Path) -> list[str]:
    """The images that bioformats2raw wrote: those it lists, else all that are numbered."""
    stated = _attributes(folder / "OME").get("series")
    numbered = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
    names = [str(name) for name in stated or range(max(numbered, default=-1) + 1)]
    lost = sum(not (folder / name).is_dir() for name in names)
    if lost:
        raise InputError(
            f"Of {len(names)} images of the folder, {lost} are not in it.",
            code="planes_missing",
            remedy="Copy it again from its source, all folders in it.",
        )
    return names


def _attributes(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; NGFF 0.5 keeps it under `ome`."""
    newer = folder / "zarr.json"
    if newer.is_file():
        attributes = json.loads(newer.read_text("utf-8")).get("attributes") or {}
        found = attributes.get("ome", attributes)
    else:
        older = folder / ".zattrs"
        found = json.loads(older.read_text("utf-8")) if older.is_file() else {}
    return found if isinstance(found, dict) else {}


def _scene(folder: Path, said: Mapping[str, Any]) -> Scene:
    import zarr

    images = said.get("multiscales") or []
    if len(images) != 1:
        raise InputError(
            f"The folder states {len(images)} images side by side, and one can be read.",
            code="unreadable",
            remedy="Save one image per OME-Zarr, or export it as OME-TIFF.",
        )
    level = images[0]["datasets"][0]
    array = zarr.open_array(folder / level["path"], mode="r")
    axes = _axes(images[0])
    _refuse_gaps(folder / level["path"], array, axes)
    named = (said.get("omero") or {}).get("channels") or []
    names = tuple(str(channel.get("label") or "").strip() for channel in named)
    return Scene(
        axes=axes,
        shape=tuple(int(length) for length in array.shape),
        dtype=np.dtype(array.dtype).name,
        take=partial(_take, folder / level["path"], array, axes),
        channel_names=names if all(names) else (),
        pixel_size=_pixel_size(images[0], level),
    )


def _axes(image: Mapping[str, Any]) -> str:
    """A letter for each axis: by its type, where its name is no single letter."""
    letters = []
    for axis in image.get("axes") or ():
        said = axis if isinstance(axis, dict) else {"name": axis}
        name = str(said.get("name", "")).upper()
        letters.append(_LETTERS.get(str(said.get("type", "")).lower(), name[:1] or "?"))
    # NGFF before 0.3 states none: they are always these.
    return "".join(letters) or "TCZYX"


def _pixel_size(image: Mapping[str, Any], level: Mapping[str, Any]) -> float | None:
    axes = image.get("axes") or ()
    last = axes[-1] if axes else {}
    factor = _MICROMETRES.get(last.get("unit", "")) if isinstance(last, dict) else None
    size = factor
    for step in (
        *(level.get("coordinateTransformations") or ()),
        *(image.get("coordinateTransformations") or ()),
    ):
        if size is not None and step.get("type") == "scale" and step.get("scale"):
            size *= float(step["scale"][-1])
    return size if size is not None and _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1] else None


def _take(folder: Path, array: Any, axes: str, chosen: Mapping[str, int]) -> npt.NDArray[Any]:
    if _is_blosc(array.metadata):
        counts = _counts(array)
        steps = dict(zip(axes, _piece(array), strict=True))
        for at in itertools.product(
            *(
                (chosen[axis] // steps[axis],) if axis in chosen else range(n)
                for axis, n in zip(axes, counts, strict=True)
            )
        ):
            _refuse_cut(folder / _piece_name(array, at))
    return np.asarray(array[tuple(chosen.get(axis, slice(None)) for axis in axes)])


def _refuse_gaps(folder: Path, array: Any, axes: str) -> None:
    """A piece of zeros need not be stored; a plane of which no piece is there was lost."""
    if len(axes) != array.ndim:
        raise InputError(
            f"The folder states the axes {axes} and holds an array of {array.ndim}.",
            code="unreadable",
            remedy="Export it as OME-TIFF.",
        )
    counts = _counts(array)
    flat = [axis in "YXS" for axis in axes]
    planes = itertools.product(
        *(range(1 if is_flat else n) for n, is_flat in zip(counts, flat, strict=True))
    )
    lost = total = 0
    for plane in planes:
        pieces = itertools.product(
            *(
                range(n) if is_flat else (at,)
                for n, at, is_flat in zip(counts, plane, flat, strict=True)
            )
        )
        total += 1
        lost += not any((folder / _piece_name(array, at)).is_file() for at in pieces)
    if lost:
        raise InputError(
            f"Of {total} parts of the image, {lost} are not in the folder.",
            code="planes_missing",
            remedy="Copy it again from its source, all folders in it.",
        )


def _is_blosc(metadata: Any) -> bool:
    """Whether each piece is one block of Blosc, as in Zarr 2 by default."""
    if getattr(getattr(metadata, "compressor", None), "codec_id", "") == "blosc":
        return True
    return any(type(codec).__name__ == "BloscCodec" for codec in getattr(metadata, "codecs", ()))


def _refuse_cut(piece: Path) -> None:
    """Blosc gives zeros for what lies behind a cut; it states its length."""
    if not piece.is_file():
        return
    with piece.open("rb") as stream:
        head, size = stream.read(_BLOSC_HEAD), stream.seek(0, 2)
    if size < _BLOSC_HEAD or int.from_bytes(head[12:16], "little") != size:
        raise truncated(f"its piece {piece.name} has {size} bytes, fewer or more than it announces")


def _piece(array: Any) -> tuple[int, ...]:
    return tuple(getattr(array, "shards", None) or array.chunks)


def _counts(array: Any) -> list[int]:
    return [math.ceil(n / step) for n, step in zip(array.shape, _piece(array), strict=True)]


def _piece_name(array: Any, at: tuple[int, ...]) -> str:
    return str(array.metadata.encode_chunk_key(at))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """All files in a folder by their names in it, in one order everywhere."""
    for base, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            path = Path(base, name)
            yield path.relative_to(folder).as_posix(), path


def _raise(error: OSError) -> None:
    raise error
