"""Outlines and run lengths drawn as a label image.

Objects are numbered 1, 2, 3... as listed. Where two claim a pixel the smaller one has it (of equal
ones the later), so that no cell vanishes under a larger one. What lies outside the frame is cut
off.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError
from cellwise.kernels.polygons import pixels_inside
from cellwise.kernels.runs import expand
from cellwise.store.masks.shapes import Outline, Runs, Shapes

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A label image `[y, x]`, and what was lost on the way.

    Args:
        labels: The number of the object at each pixel, 0 for none.
        overlapped: Pixels that two or more objects claim.
        lost: Objects without a pixel: outside the frame, thinner than a pixel, or under others.
    """

    labels: npt.NDArray[np.int32]
    overlapped: int
    lost: int


def draw(shapes: Shapes, height: int, width: int) -> Drawn:
    """Draw the objects of one kind into a frame.

    Raises:
        InputError: `mask_file` for broken run lengths, `mask_size` where run lengths are of another
            frame or none of the objects lies in it.
    """
    pixels = [_pixels(shape, height, width) for shape in shapes.objects]
    sizes = np.array([len(places) for places in pixels], np.int64)
    if len(sizes) and not sizes.any():
        raise InputError(
            f"none of the {len(sizes)} outlines has a pixel in the frame of {height} x {width}",
            code="mask_size",
            remedy="Bring outlines in pixels of these images, from the upper left corner.",
        )
    labels = np.zeros(height * width, np.int32)
    twice = np.zeros(height * width, bool)
    for position in np.lexsort((np.arange(len(sizes)), -sizes)):
        places = pixels[position]
        twice[places] |= labels[places] > 0
        labels[places] = position + 1
    left = len(np.unique(labels[labels > 0]))
    return Drawn(labels.reshape(height, width), int(np.count_nonzero(twice)), len(sizes) - left)


def _pixels(shape: Outline | Runs, height: int, width: int) -> Places:
    """Where the object lies, as positions in the frame read row by row."""
    if isinstance(shape, Runs):
        return _of_runs(shape, height, width)
    parts = []
    for rings in shape.polygons:
        rows, columns = pixels_inside(rings, height=height, width=width)
        parts.append(rows * width + columns)
    return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))


def _of_runs(shape: Runs, height: int, width: int) -> Places:
    if shape.size != (height, width):
        raise _size(f"run lengths are for a frame of {shape.size}", height, width)
    try:
        counts = _counts(shape)
    except InputError as error:
        raise InputError(error.reason, code="mask_file", remedy=error.remedy) from error
    # Python's whole numbers, so that absurd counts cannot wrap around.
    filled = sum(counts.tolist())
    if filled != height * width:
        raise _size(f"run lengths fill {filled} pixels", height, width)
    ends = np.cumsum(counts)
    starts, lengths = (ends - counts)[1::2], counts[1::2]
    first = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    columns, rows = np.divmod(first + np.arange(len(first)), height)
    return np.asarray(rows * width + columns, np.int64)


def _counts(shape: Runs) -> Places:
    if isinstance(shape.counts, bytes):
        return expand(shape.counts)
    try:
        return np.array(shape.counts, np.int64)
    except OverflowError as error:
        raise InputError("run lengths hold a number beyond 64 bits", code="mask_file") from error


def _size(what: str, height: int, width: int) -> InputError:
    return InputError(
        f"{what}, the frame is {height} x {width}",
        code="mask_size",
        remedy="Bring masks of the same height and width as the images.",
    )
