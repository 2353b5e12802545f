"""Zarr folders from outside: what they say of themselves, and the images that lie in them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["attributes_of", "broken_wells", "images_in", "is_ome_zarr"]


def attributes_of(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; NGFF 0.5 keeps it under `ome`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON.
    """
    newer = folder / "zarr.json"
    if newer.is_file():
        said = json.loads(newer.read_text("utf-8"))
        attributes = (said.get("attributes") if isinstance(said, dict) else None) or {}
        found = attributes.get("ome", attributes) if isinstance(attributes, dict) else {}
    else:
        older = folder / ".zattrs"
        found = json.loads(older.read_text("utf-8")) if older.is_file() else {}
    return found if isinstance(found, dict) else {}


def is_ome_zarr(folder: Path) -> bool:
    """Whether a folder is an image of OME-Zarr by what it says of itself."""
    try:
        said = attributes_of(folder)
    except (OSError, ValueError):
        return False
    # A plate that bioformats2raw wrote states both; its images lie in its wells.
    return bool(said.get("multiscales")) or (
        "bioformats2raw.layout" in said and "plate" not in said
    )


def images_in(folder: Path) -> tuple[str, ...]:
    """The images of OME-Zarr in a Zarr folder, by their paths in it.

    Returns:
        One empty path for a folder that is an image; `A/1/0`... for the fields of a plate, without
        those of its broken wells; nothing for any other Zarr.
    """
    if is_ome_zarr(folder):
        return ("",)
    return tuple(place for _, images, _ in _wells(folder) for place in images)


def broken_wells(folder: Path) -> dict[str, str]:
    """Why the fields of a well of a plate are not known, a sentence by the well's path in it."""
    if is_ome_zarr(folder):
        return {}
    return {well: reason for well, _, reason in _wells(folder) if reason}


def _wells(folder: Path) -> Iterator[tuple[str, list[str], str]]:
    """The wells that a plate lists: path, paths of its images, and why they are not known."""
    try:
        plate = attributes_of(folder).get("plate")
    except (OSError, ValueError):
        return
    listed = plate.get("wells") if isinstance(plate, dict) else None
    for place, well in enumerate(listed if isinstance(listed, list) else [], start=1):
        path = well.get("path") if isinstance(well, dict) else None
        if not isinstance(path, str) or not _inside(path):
            yield f"well {place}", [], "The plate lists a well without its folder."
            continue
        try:
            said = attributes_of(folder / path).get("well")
        except (OSError, ValueError) as error:
            yield path, [], f"What the well says of itself cannot be read: {error}."
            continue
        images = said.get("images") if isinstance(said, dict) else None
        if not isinstance(images, list):
            what = "states no fields" if (folder / path).is_dir() else "is not in the plate"
            yield path, [], f"The well {what}."
            continue
        names = [str(one.get("path", "")) if isinstance(one, dict) else "" for one in images]
        if not all(map(_inside, names)):
            yield path, [], "The well lists a field without its folder."
            continue
        yield path, [f"{path}/{name}" for name in names], ""


def _inside(path: str) -> bool:
    """Whether a path leads into the folder it is from, and nowhere else."""
    return bool(path.strip("/.")) and not path.startswith("/") and ".." not in path.split("/")
