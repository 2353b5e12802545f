"""From a network's probability maps to cells and nuclei, by the HPA-Cell-Segmentation rules.

The nucleus network and the cell network each give background, border and interior. Seeds are
interiors without border; nuclei are grown from seeds, cells from nuclei, first outside and then
inside the border zone. All of this is done at the resolution of the maps; only the ribbon of
pixels along an edge is looked at again at full size. Every area and length is a share of the
image's side.

Source: the post-processing of HPA-Cell-Segmentation (Human Protein Atlas, 2021). Not taken over are
its 8-bit steps: the two border maps are added in whole numbers that cannot wrap, and cells above
255 keep their numbers. Here touching nuclei and touching cells meet without a line between them,
and where a hole lies between several cells it stays open.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Masks
from cellwise.kernels.components import (
    claim_components,
    drop_small,
    fill_enclosed,
    fill_small_holes,
    label_components,
)
from cellwise.kernels.enlarge import enlarge
from cellwise.kernels.flood import flood_into

Maps = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]

_BORDER, _INTERIOR = 1, 2
# Areas and lengths below are in pixels of an image of this side.
_SIDE = 2048
_SEED_AREA = 500
_NUCLEAR_HOLE = 1000
_NUCLEAR_AREA = 2500
_CELL_AREA = 5500
_CLOSING = 6
# Levels are fractions; a map holds 255 times as much.
_SEED_LEVEL = 0.15
_SEED_BORDER = 0.95
_NUCLEAR_LEVEL = 0.4
_CELL_LEVEL = 0.22
_OTSU_SHARE = 0.5
_CELL_BORDER = 0.05


@dataclass(frozen=True, slots=True)
class Labelled:
    """Cells and nuclei of one site.

    Args:
        masks: Full-size label images; cells are numbered 1..n, row by row of their first pixels on
            the maps.
        areas: int64 `[cell]`, pixels of each cell at full size.
        boxes: int64 `[cell, (y0, x0, y1, x1)]`, half-open.
    """

    masks: Masks
    areas: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]


def label_maps(
    nucleus: Maps, cell: Maps, shape: tuple[int, int], *, side: float | None = None
) -> Labelled:
    """Label the cells and nuclei that two networks saw.

    Args:
        nucleus: `[3, y, x]`: background, border between nuclei, interior; probability times 255.
        cell: The same of cells, the same size.
        shape: Height and width of the field in pixels; maps and field cover the same frame.
        side: Pixels of the maps to a side of a standard field, which areas are shares of; by
            default the side of the square with as many pixels as the maps have. Give it where an
            image shows more or less than a standard field.

    Returns:
        Cells of no pixel never occur; without cells the masks are 0 and the tables empty.

    Raises:
        ValueError: The maps are not uint8 `[3, y, x]` of one size, or something is empty.
    """
    _check(nucleus, cell, shape)
    nuclear_inner, nuclear_border = _planes(nucleus)
    inner, border = _planes(cell)
    scale = (side or float(np.sqrt(inner.size))) / _SIDE
    level = max(_CELL_LEVEL, _OTSU_SHARE * _otsu(inner) / 255) * 255
    nuclei = _nuclei(nuclear_inner, nuclear_border, border, scale)
    cells = _cells(nuclei, inner, border, level, scale)
    drawn = enlarge(
        cells,
        inner,
        border,
        (level, _CELL_BORDER * 255),
        nuclei=((nuclei > 0) & (cells > 0)).view(np.uint8),
        nuclear_inner=nuclear_inner,
        nuclear_level=_NUCLEAR_LEVEL * 255,
        shape=shape,
    )
    return Labelled(Masks(drawn.cells, drawn.nuclei), drawn.areas, drawn.boxes)


def _nuclei(inner: Maps, border: Maps, cell_border: Maps, scale: float) -> Labels:
    """Seeds where no border is, then nuclei grown from them over level ground."""
    free = cv2.add(border, cell_border, dtype=cv2.CV_16U) < _SEED_BORDER * 255
    seeds = label_components(_mask(free & (inner > _SEED_LEVEL * 255)), _SEED_AREA * scale**2)
    ground = _mask(inner > _NUCLEAR_LEVEL * 255)
    # Specks need no rule of their own: a nucleus in one is smaller than a nucleus may be.
    fill_small_holes(ground, _NUCLEAR_HOLE * scale**2, out=ground)
    nuclei = claim_components(np.zeros_like(ground), seeds, ground, out=seeds)
    drop_small(nuclei, _NUCLEAR_AREA * scale**2, out=nuclei)
    # A seed may join what the higher level of a nucleus keeps apart, hence the pieces.
    return label_components(nuclei, out=nuclei)


def _cells(nuclei: Labels, inner: Maps, border: Maps, level: float, scale: float) -> Labels:
    """Cells grown from nuclei, outside the border zone first."""
    zone = border > _CELL_BORDER * 255
    height = 255 - np.maximum(inner, np.uint8(level))
    cells = claim_components(height, nuclei, _mask((inner > level) & ~zone))
    cells = _closed(drop_small(cells, _CELL_AREA * scale**2, out=cells), scale)
    fill_enclosed(cells, out=cells)
    flood_into(height, cells, (cells > 0) | zone)
    fill_enclosed(cells, out=cells)
    return label_components(cells, _CELL_AREA * scale**2, out=cells)


def _closed(labels: Labels, scale: float) -> Labels:
    """Grey closing of the labels with a disc: gaps close, and the lower number takes them."""
    radius = int(_CLOSING * scale + 0.5)
    if radius == 0:
        return labels
    across = np.arange(-radius, radius + 1)
    disc = (across[:, None] ** 2 + across**2 <= radius**2).astype(np.uint8)
    # The types that this operation knows; float32 holds whole numbers up to 16 million.
    kind = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.float32
    closed = cv2.morphologyEx(labels.astype(kind), cv2.MORPH_CLOSE, disc)
    return np.asarray(closed, np.int32)


def _planes(maps: Maps) -> tuple[Maps, Maps]:
    return np.ascontiguousarray(maps[_INTERIOR]), np.ascontiguousarray(maps[_BORDER])


def _otsu(plane: Maps) -> float:
    level, _ = cv2.threshold(plane, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(level)


def _mask(condition: npt.NDArray[np.bool_]) -> Maps:
    return condition.view(np.uint8)


def _check(nucleus: Any, cell: Any, shape: tuple[int, int]) -> None:
    for maps in (nucleus, cell):
        if maps.ndim != 3 or len(maps) != 3 or maps.dtype != np.uint8 or maps.size == 0:
            raise ValueError(f"Maps are uint8 [3, y, x], not {maps.dtype} {maps.shape}.")
    if nucleus.shape != cell.shape:
        raise ValueError(f"Maps of nuclei {nucleus.shape} and cells {cell.shape} differ in size.")
    if min(shape) < 1:
        raise ValueError(f"A field has at least one pixel, not {shape}.")
