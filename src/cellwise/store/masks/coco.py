"""Masks as COCO JSON: one file for many images, matched by `file_name`.

`segmentation` is a list of polygons `[x, y, x, y, ...]`, uncompressed run lengths (`counts` a list)
or compressed ones (`counts` a text), the latter two in column-major order with `size = [height,
width]`. A category whose name speaks of a nucleus holds nuclei, every other one cells. `iscrowd`
marks a group of cells, which is no cell: it is left out and counted.

Source: the COCO data format (Lin et al. 2014, arXiv 1405.0312).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from cellwise.store.masks.shapes import Outline, Runs, Shapes, broken, outline, read_json_file


@dataclass(frozen=True, slots=True)
class CocoFile:
    """One file: annotations and size of each image, by its number in the file.

    Args:
        path: The file.
        images: Number of the image by `file_name`, by its last part, and by both without ending;
            None where two images share such a name.
        files: The `file_name` of each image.
        sizes: Height and width of each image, None where not said.
        annotations: Per image, in the order of the file.
        nuclei: Ids of the categories that hold nuclei, as texts.
        homeless: Annotations that name no image; counted once, with the first image.
    """

    path: Path
    images: dict[str, Any]
    files: dict[Any, str]
    sizes: dict[Any, tuple[int, int] | None]
    annotations: dict[Any, list[dict[str, Any]]]
    nuclei: frozenset[str]
    homeless: int = 0

    def find(self, names: list[str]) -> Any:
        """The number of the image that has one of these names, None where there is none."""
        found = (self.images.get(name) for name in names)
        return next((number for number in found if number is not None), None)

    def shapes(self, image: Any) -> tuple[Shapes, Shapes | None]:
        """Cells and nuclei of one image; nuclei are None where the file tells of one kind only.

        Raises:
            InputError: `mask_file`.
        """
        kinds: dict[bool, list[Outline | Runs]] = {False: [], True: []}
        skipped = self.homeless if image == next(iter(self.sizes), None) else 0
        for entry in self.annotations.get(image, ()):
            if entry.get("iscrowd"):
                skipped += 1
                continue
            what = f"annotation {entry.get('id', '?')}"
            if not _is_key(entry.get("category_id", 0)):
                raise broken(self.path, f"{what} has a category_id that is no number")
            kinds[str(entry.get("category_id")) in self.nuclei].append(
                _object(self.path, what, entry)
            )
        size = self.sizes.get(image)
        cells, nuclei = (Shapes(tuple(kinds[kind]), size) for kind in (False, True))
        first = nuclei if nuclei.objects and not cells.objects else cells
        both = bool(cells.objects and nuclei.objects)
        return Shapes(first.objects, size, skipped), nuclei if both else None


def read_coco(path: Path) -> CocoFile | None:
    """The content of a COCO file, None where it is JSON of another kind; the last one is kept.

    Raises:
        InputError: `mask_file`.
    """
    facts = path.stat()
    return _read(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, size: int, changed: int) -> CocoFile | None:
    """A worker asks again for every batch of fields; `size` and `changed` tell a new file."""
    content = read_json_file(path)
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        return None
    parts = {key: content.get(key) or [] for key in ("images", "annotations", "categories")}
    for key, entries in parts.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise broken(path, f"{key!r} is no list of entries")
    images: dict[str, Any] = {}
    files, sizes = {}, {}
    for entry in parts["images"]:
        number, name = entry.get("id"), entry.get("file_name")
        if not _is_key(number) or not isinstance(name, str):
            raise broken(path, "an image has no id or no file_name")
        files[number] = name
        sizes[number] = _size(entry.get("height"), entry.get("width"))
        for key in _names(name):
            images[key] = number if images.get(key, number) == number else None
    annotations: dict[Any, list[dict[str, Any]]] = {}
    homeless = 0
    for entry in parts["annotations"]:
        if _is_key(entry.get("image_id")):
            annotations.setdefault(entry["image_id"], []).append(entry)
        else:
            homeless += 1
    named = {str(e.get("id")): str(e.get("name")).lower() for e in parts["categories"]}
    nuclei = (number for number, name in named.items() if "nucle" in name)
    return CocoFile(path, images, files, sizes, annotations, frozenset(nuclei), homeless)


def _is_key(value: Any) -> bool:
    return isinstance(value, int | str)


def _names(file_name: str) -> list[str]:
    path = PurePosixPath(file_name.replace("\\", "/"))
    if not path.name:
        return []  # An image that matches nothing.
    return list(dict.fromkeys([str(path), path.name, str(path.with_suffix("")), path.stem]))


def _size(height: Any, width: Any) -> tuple[int, int] | None:
    whole = isinstance(height, int) and isinstance(width, int)
    return (height, width) if whole and height > 0 and width > 0 else None


def _object(path: Path, what: str, entry: dict[str, Any]) -> Outline | Runs:
    said = entry.get("segmentation")
    if isinstance(said, list) and said:
        flat = all(isinstance(points, list) and len(points) % 2 == 0 for points in said)
        if not flat:
            raise broken(path, f"{what} holds a polygon that is no list x, y, x, y...")
        pairs = [[[*zip(points[::2], points[1::2], strict=True)]] for points in said]
        return outline(path, what, pairs)
    if not isinstance(said, dict):
        raise broken(path, f"{what} has no segmentation")
    counts, size = said.get("counts"), said.get("size")
    frame = _size(*size) if isinstance(size, list) and len(size) == 2 else None
    if frame is None:
        raise broken(path, f"{what} has run lengths without 'size' [height, width]")
    if isinstance(counts, str) and counts.isascii():
        return Runs(counts.encode("ascii"), frame)
    if isinstance(counts, list) and all(isinstance(n, int) and n >= 0 for n in counts):
        return Runs(tuple(counts), frame)
    raise broken(path, f"{what} has 'counts' that are neither a text nor a list of numbers from 0")
