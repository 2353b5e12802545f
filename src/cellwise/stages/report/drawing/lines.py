"""Outlines over images: light lines between dark rims, seen on bright and on dark images alike."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Labels = npt.NDArray[Any]

CELL, NUCLEUS = "#ffffff", "#5ae6ff"
HALO = 0.72
"""How dark the rim beside a line is: the share of the image that it covers with black."""


def edges(labels: Labels) -> npt.NDArray[np.bool_]:
    """Pixels of each region that touch another region or the background."""
    return borders(labels) & (labels > 0)


def borders(labels: Labels) -> npt.NDArray[np.bool_]:
    """Pixels on both sides of every border between regions, or of a region and the background."""
    framed = np.pad(labels, 1, mode="edge")
    centre = framed[1:-1, 1:-1]
    differs = np.zeros(labels.shape, bool)
    for shifted in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]):
        differs |= shifted != centre
    return differs


def shrink_labels(labels: Labels, side: int) -> Labels:
    """The label image sampled to the size that `shrink` gives; numbers are never mixed."""
    tall, wide = labels.shape
    if max(tall, wide) <= side:
        return labels
    factor = side / max(tall, wide)
    rows = (np.arange(max(1, round(tall * factor))) + 0.5) * (tall / max(1, round(tall * factor)))
    columns = (np.arange(max(1, round(wide * factor))) + 0.5) * (
        wide / max(1, round(wide * factor))
    )
    return labels[np.ix_(rows.astype(int), columns.astype(int))]


def line_labels(labels: Labels, side: int) -> Labels:
    """The label image at the size that lines are drawn at: its longer side near `side` pixels.

    Small images are repeated whole times, so that lines stay thin when they are shown large.
    """
    times = side // max(labels.shape)
    if times > 1:
        return labels.repeat(times, axis=0).repeat(times, axis=1)
    return shrink_labels(labels, side)


def outlines(cells: Labels, nuclei: Labels, side: int) -> bytes:
    """A transparent PNG with cells in white and nuclei in cyan, to lie over an image.

    Its longer side is about `side` pixels.
    """
    cells, nuclei = line_labels(cells, side), line_labels(nuclei, side)
    drawn = np.zeros(cells.shape, np.uint8)
    drawn[borders(cells)] = 1
    drawn[borders(nuclei)] = 2
    return line_png(drawn, (CELL, NUCLEUS))


def class_outlines(
    cells: Labels, nuclei: Labels, side: int, codes: npt.NDArray[np.uint8], colours: Sequence[str]
) -> bytes:
    """A transparent PNG with each cell in the colour of its class and nuclei in thin white.

    Args:
        cells: Label image `[y, x]`.
        nuclei: Label image `[y, x]`.
        side: About the longer side of the PNG.
        codes: Of each number in `cells` which of `colours` it has, 1 the first; of 0 it is 0.
        colours: `#rrggbb` of classes.
    """
    cells, nuclei = line_labels(cells, side), line_labels(nuclei, side)
    inside = codes[cells]
    framed = np.pad(inside, 1)
    around = np.maximum.reduce(
        [framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]]
    )
    # A line lies on both sides of a border; outside it has the colour of the cell beside it.
    of_class = np.where(cells > 0, inside, around)
    drawn = np.where(borders(cells), of_class, 0).astype(np.uint8)
    drawn[edges(nuclei)] = len(colours) + 1
    return line_png(drawn, (*colours, CELL))


def line_png(numbers: npt.NDArray[np.uint8], colours: Sequence[str]) -> bytes:
    """A PNG of lines with a dark rim of one pixel on both sides.

    Args:
        numbers: 0 where the image shows through, else which of `colours` (1 is the first).
        colours: `#rrggbb`, light ones.
    """
    drawn = numbers.copy()
    drawn[_beside(numbers > 0)] = len(colours) + 1
    image = Image.fromarray(drawn, mode=None).convert("P")
    palette = [byte for colour in colours for byte in bytes.fromhex(colour[1:])]
    image.putpalette([0, 0, 0, *palette, 0, 0, 0])
    opacity = bytes([0, *[255] * len(colours), round(255 * HALO)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=opacity, compress_level=6)
    return buffer.getvalue()


def _beside(lines: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels next to a line, corners included, that are no line."""
    wide = np.pad(lines, 1)
    tall = wide[:-2] | wide[1:-1] | wide[2:]
    return (tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]) & ~lines
