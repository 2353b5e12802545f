"""Where each cell lies: one pass over a label image gives box, area and centre of all its cells.

A label image holds 0 for background and a cell's number elsewhere. Numbers may have gaps and go up
to 2^63 - 1; a table by number is kept, so the frame is read once and never per cell.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError

Labels = npt.NDArray[Any]
# Above this, and above an eighth of the pixels, numbers are renumbered first: the table has seven
# entries for each.
_LARGEST_TABLE = 1 << 16
_HIGHEST = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Boxes:
    """The cells of one label image, ordered by number; all arrays are `[cell]`.

    Args:
        ids: Numbers in the label image, ascending.
        y0: First row of the box.
        x0: First column of the box.
        y1: Row after the last (half-open).
        x1: Column after the last (half-open).
        area: Pixels of the cell.
        y: Mean row of the pixels; the centre of pixel 0 is 0.0.
        x: Mean column of the pixels.
        touches_border: Whether the box reaches an edge of the frame.
    """

    ids: npt.NDArray[np.int64]
    y0: npt.NDArray[np.int64]
    x0: npt.NDArray[np.int64]
    y1: npt.NDArray[np.int64]
    x1: npt.NDArray[np.int64]
    area: npt.NDArray[np.int64]
    y: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    touches_border: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, chosen: npt.NDArray[Any] | slice) -> "Boxes":
        """The boxes at these positions (or where a mask is true)."""
        return Boxes(
            self.ids[chosen],
            self.y0[chosen],
            self.x0[chosen],
            self.y1[chosen],
            self.x1[chosen],
            self.area[chosen],
            self.y[chosen],
            self.x[chosen],
            self.touches_border[chosen],
        )


def find_boxes(labels: Labels) -> Boxes:
    """Boxes, areas and centres of all cells in `labels[y, x]`; zero cells give empty arrays.

    Raises:
        InputError: `labels` is not a two-dimensional image of whole numbers from 0 to 2^63 - 1.
    """
    frame = as_labels(labels)
    top = int(frame.max(initial=0))
    if top > _HIGHEST:
        raise InputError(
            f"A label image holds the number {top}, above {_HIGHEST}.",
            code="mask_type",
            remedy="Number the cells 1, 2, 3...",
        )
    if top > max(_LARGEST_TABLE, frame.size // 8):
        return _find_sparse(frame)
    table = _scan(frame, top + 1)
    return _boxes(table, np.flatnonzero(table[:, 4]), frame.shape)


def as_labels(labels: Labels) -> Labels:
    """The same label image in C order as an unsigned type; a copy only where it is not so already.

    Raises:
        InputError: It is not two-dimensional, not of whole numbers, or has negative ones.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "uib":
        raise InputError(
            f"A label image is 2-D and of whole numbers, not {labels.ndim}-D {labels.dtype}.",
            code="mask_type",
            remedy="Give one label image [y, x] per site, 0 for background.",
        )
    if labels.dtype.kind == "i" and labels.size and int(labels.min()) < 0:
        raise InputError("A label image holds negative numbers.", code="mask_type")
    frame = np.ascontiguousarray(labels, labels.dtype.newbyteorder("="))
    return frame.view(f"u{frame.dtype.itemsize}")


def _find_sparse(frame: Labels) -> Boxes:
    # Only the first pixels of horizontal runs are looked at, a few thousand of the millions.
    starts = np.ones(frame.shape, bool)
    np.not_equal(frame[:, 1:], frame[:, :-1], out=starts[:, 1:])
    numbers = np.unique(frame[starts])
    numbers = numbers[numbers > 0]
    dense = np.zeros(frame.shape, np.uint32)
    _renumber(frame, numbers, dense)
    table = _scan(dense, len(numbers) + 1)
    found = _boxes(table, np.arange(1, len(numbers) + 1), frame.shape)
    return Boxes(
        numbers.astype(np.int64),
        found.y0,
        found.x0,
        found.y1,
        found.x1,
        found.area,
        found.y,
        found.x,
        found.touches_border,
    )


def _boxes(
    table: npt.NDArray[np.int64], ids: npt.NDArray[np.int64], shape: tuple[int, ...]
) -> Boxes:
    y0, x0, y1, x1, area, sum_y, twice_x = table[ids].T.copy()
    height, width = shape
    border = (y0 == 0) | (x0 == 0) | (y1 == height) | (x1 == width)
    return Boxes(ids, y0, x0, y1, x1, area, sum_y / area, twice_x / (2 * area), border)


@numba.njit(cache=True, nogil=True)
def _scan(labels, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Table `[number, (y0, x0, y1, x1, area, sum of y, twice the sum of x)]`."""
    height, width = np.uint64(labels.shape[0]), np.uint64(labels.shape[1])
    one, eight = np.uint64(1), np.uint64(8)
    table = np.zeros((count, 7), np.int64)
    table[:, 0] = height
    table[:, 1] = width
    if width == 0:
        return table
    # One byte per pixel says whether a run begins there; eight of them at a time are mostly zero.
    marks = np.zeros((labels.shape[1] + 7) // 8 * 8, np.uint8)
    words = marks.view(np.uint64)
    for y in range(height):
        for x in range(one, width):
            marks[x] = labels[y, x] != labels[y, x - one]
        start = np.uint64(0)
        for word in range(np.uint64(len(words))):
            if words[word] == 0:
                continue
            for x in range(word * eight, word * eight + eight):
                if marks[x] != 0:
                    value = np.int64(labels[y, start])
                    _add_run(table, value, np.int64(y), np.int64(start), np.int64(x))
                    start = np.uint64(x)
        value = np.int64(labels[y, start])
        _add_run(table, value, np.int64(y), np.int64(start), np.int64(width))
    return table


@numba.njit(cache=True, nogil=True)
def _add_run(table, number, y, start, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if number == 0:
        return
    table[number, 0] = min(table[number, 0], y)
    table[number, 1] = min(table[number, 1], start)
    table[number, 2] = y + 1
    table[number, 3] = max(table[number, 3], stop)
    table[number, 4] += stop - start
    table[number, 5] += y * (stop - start)
    table[number, 6] += (stop - start) * (stop - 1 + start)


@numba.njit(cache=True, nogil=True)
def _renumber(labels, numbers, dense):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = labels.shape
    for y in range(height):
        last = labels.dtype.type(0)
        position = 0
        for x in range(width):
            value = labels[y, x]
            if value != last:
                last = value
                position = 0 if value == 0 else np.searchsorted(numbers, value) + 1
            dense[y, x] = position
