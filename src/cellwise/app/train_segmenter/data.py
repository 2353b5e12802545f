"""Folders of images with masks, as training reads them.

Three layouts: `images/` with `labels/` of equal names (the labels are nuclei); a folder of images
with `truth/masks`, as `cellwise simulate` makes; a run folder with `masks/`. Images with the same
pixels, and images of one group, stay together when some are held out.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.app.train_segmenter.targets import Labels, Plane, deepest_points
from cellwise.domain.records import Field
from cellwise.errors import InputError, PreflightError
from cellwise.stages.segment.given import is_foreground
from cellwise.stages.segment.small_unet.planes import (
    WORK_DIAMETER,
    body_level,
    relative_level,
    resized,
    typical_diameter,
)
from cellwise.stages.segment.watershed import body_planes, nucleus_index
from cellwise.stages.segment.watershed.nuclei import coarse_diameter

# Images are kept at the size where nuclei measure at most this many pixels.
_LARGEST = 2 * WORK_DIAMETER
_HIGHEST = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, slots=True)
class Annotated:
    """One image with its truth, as read.

    Args:
        name: Which one.
        source: The folder it came from, as the user wrote it.
        group: Images of one group are held out together.
        field: Its pixels.
        nuclei: Label image `[y, x]`; None where only cells are known.
        cells: Label image `[y, x]`; None where only nuclei are known.
        ignored: Numbers of cells of which no truth is asked: less than half of them, or nothing of
            their nucleus, is in view.
    """

    name: str
    source: str
    group: str
    field: Field
    nuclei: npt.NDArray[Any] | None
    cells: npt.NDArray[Any] | None = None
    ignored: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """One image ready for drawing examples.

    Args:
        nucleus: Relative level of the nucleus channel `[y, x]`.
        body: Relative level of the cell body, None where no channel shows it.
        nuclei: Labels 1..n, None where unknown.
        cells: Labels 1..n, None where unknown or where there is no body.
        deepest_nuclei: Per nucleus its depth, see `targets`.
        deepest_cells: Per cell likewise.
        spots: Middles `(x, y)` of the regions.
        diameter: Typical nuclear diameter in these pixels.
    """

    nucleus: Plane
    body: Plane | None
    nuclei: Labels | None
    cells: Labels | None
    deepest_nuclei: Plane | None
    deepest_cells: Plane | None
    spots: npt.NDArray[np.float64]
    diameter: float


def read_annotated(folders: list[Path]) -> list[Annotated]:
    """All images of these folders, duplicates put into one group.

    Raises:
        PreflightError: A folder holds no masks, a mask does not fit its image or holds negative
            or broken numbers, or there is one image only.
    """
    from cellwise.app.train_segmenter.layouts import read_folder

    found = [one for folder in folders for one in read_folder(folder)]
    if len(found) < 2:
        raise PreflightError(
            f"Training needs two images with masks or more, and {len(found)} was found. Add "
            "images, or cut one large image into several."
        )
    return list(_grouped(found))


def checked_labels(labels: npt.NDArray[Any], shape: tuple[int, ...], where: str) -> Labels:
    """A label image as int32 1..n without gaps.

    Raises:
        PreflightError: It is no label image of this size, or a foreground.
    """
    if labels.shape != shape:
        raise PreflightError(
            f"{where}: the mask is {' x '.join(map(str, labels.shape))}, its image "
            f"{' x '.join(map(str, shape))}. Save both at one size."
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) > _HIGHEST:
        raise PreflightError(
            f"{where}: the mask holds numbers below 0 or above {_HIGHEST}. "
            "Save labels from 1 on, 0 = background."
        )
    if is_foreground(labels, labels.max(initial=0)):
        raise PreflightError(
            f"{where}: the mask holds one number in several separate pieces: it is a foreground, "
            "whose nuclei are not distinguished. Save labels, a number for each."
        )
    _, numbers = np.unique(np.concatenate([[0], labels.ravel()]), return_inverse=True)
    return np.asarray(numbers[1:].reshape(shape), np.int32)


def prepare(one: Annotated) -> PreparedImage | None:
    """An image at working size; None where nothing shines or nothing is annotated.

    Raises:
        PreflightError: No channel shows the nucleus.
    """
    try:
        index = nucleus_index(one.field)
    except InputError as error:
        raise PreflightError(f"{one.source}: {error.reason} {error.remedy}") from error
    plane = one.field.pixels[index]
    diameter = coarse_diameter(plane) if one.nuclei is None else typical_diameter(one.nuclei)
    if not diameter > 0:
        return None
    zoom = min(_LARGEST / diameter, 1.0)
    nucleus = relative_level(resized(plane, zoom), diameter * zoom)
    if nucleus is None:
        return None
    stains = [resized(stain, zoom) for stain in body_planes(one.field, index, None)]
    body = body_level(stains, diameter * zoom)
    nuclei = _shrunk(one.nuclei, nucleus.shape)
    cells = None if body is None else _shrunk(one.cells, nucleus.shape)
    shown = cells if nuclei is None else nuclei
    if shown is None:
        return None
    return PreparedImage(
        nucleus,
        body,
        nuclei,
        cells,
        None if nuclei is None else deepest_points(nuclei),
        None if cells is None else deepest_points(cells),
        _spots(shown),
        diameter * zoom,
    )


def _shrunk(labels: Labels | None, shape: tuple[int, ...]) -> Labels | None:
    if labels is None or labels.shape == shape:
        return labels
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) * full / n).astype(np.int64), full - 1)
        for n, full in zip(shape, labels.shape, strict=True)
    )
    return np.ascontiguousarray(labels[np.ix_(rows, columns)])


def _spots(labels: Labels) -> npt.NDArray[np.float64]:
    from cellwise.kernels.boxes import find_boxes

    boxes = find_boxes(labels)
    return np.stack([boxes.x, boxes.y], axis=1)


def _grouped(found: list[Annotated]) -> Iterator[Annotated]:
    """Groups that share an image become one."""
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for one in found:
        head = f"{one.field.pixels.dtype}{one.field.pixels.shape}".encode()
        digest = hashlib.sha256(head + np.ascontiguousarray(one.field.pixels).tobytes())
        first, second = sorted((lead(one.group), lead(digest.hexdigest())), key=len)
        leader[second] = first
    for one in found:
        yield replace(one, group=lead(one.group))
