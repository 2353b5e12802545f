"""Outlines that the user brings, as their files say them: polygons or run lengths."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError

# Far beyond any field, and far below where sums of coordinates lose their digits.
_FARTHEST = 1e9


@dataclass(frozen=True, slots=True)
class Outline:
    """One object: polygons, each an outer ring and its holes; rings are `[point, (x, y)]`."""

    polygons: tuple[tuple[npt.NDArray[np.float64], ...], ...]


@dataclass(frozen=True, slots=True)
class Runs:
    """One object as COCO run lengths: their characters or counts, and `(height, width)`."""

    counts: bytes | tuple[int, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shapes:
    """The objects of one kind (cells or nuclei) of one field, in the order of the file.

    Args:
        objects: Outlines or run lengths; the first one is cell 1.
        size: Height and width of the frame they were drawn for, None where the file does not say.
        skipped: Entries of the file that are no outline (points, lines, groups of cells).
    """

    objects: tuple[Outline | Runs, ...]
    size: tuple[int, int] | None = None
    skipped: int = 0


def read_json_file(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: `mask_file`: it is torn or no JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        raise broken(path, f"it cannot be read as JSON ({str(error)[:120]})") from error


def ring(path: Path, what: str, points: Any) -> npt.NDArray[np.float64]:
    """One ring `[point, (x, y)]` from a list of points.

    Raises:
        InputError: `mask_file`: fewer than three points, no numbers, or numbers beyond any frame.
    """
    try:
        found = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise broken(path, f"{what} holds points that are no numbers") from error
    # GeoJSON allows a height above sea level after x and y.
    if found.ndim != 2 or found.shape[1] not in (2, 3) or len(found) < 3:
        raise broken(path, f"{what} is no ring of at least three points (x, y)")
    if not (np.abs(found[:, :2]) < _FARTHEST).all():
        raise broken(path, f"{what} holds coordinates that no image has")
    return np.ascontiguousarray(found[:, :2])


def outline(path: Path, what: str, polygons: Sequence[Any]) -> Outline:
    """An object from nested lists: polygons of rings of points."""
    if not polygons or not all(isinstance(rings, list) and rings for rings in polygons):
        raise broken(path, f"{what} holds a polygon without a ring")
    return Outline(tuple(tuple(ring(path, what, points) for points in rings) for rings in polygons))


def broken(path: Path, what: str) -> InputError:
    """The error of a file of outlines that cannot be used."""
    return InputError(
        f"{path.name}: {what}.",
        code="mask_file",
        remedy="Export the masks again, or bring them as label TIFF files.",
        path=str(path),
    )
