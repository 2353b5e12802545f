"""The brightest pixels of every cell."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.boxes import as_labels


def brightest_mean(
    plane: npt.NDArray[np.float32],
    cells: npt.NDArray[Any],
    ids: npt.NDArray[np.int64],
    count: int,
) -> npt.NDArray[np.float64]:
    """`[cell]`: the mean of the brightest `count` pixels of each cell.

    Args:
        plane: `[y, x]`.
        cells: Label image of the same shape, 0 for background.
        ids: Ascending numbers of all cells in it.
        count: At least 1; all pixels of a cell where it has fewer.

    Raises:
        ValueError: Shapes that differ, or no pixel asked for.
    """
    if plane.shape != cells.shape or count < 1:
        raise ValueError(f"{plane.shape} and {cells.shape}, {count} pixels: nothing to take.")
    found = np.full((len(ids), count), -np.inf)
    _keep(np.ascontiguousarray(plane, np.float32), as_labels(cells), ids, found)
    there = np.isfinite(found)
    sums = np.where(there, found, 0).sum(axis=1)
    means: npt.NDArray[np.float64] = sums / np.maximum(there.sum(axis=1), 1)
    return means


@numba.njit(cache=True, nogil=True)
def _keep(plane, cells, ids, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The largest values of each cell, smallest first."""
    last = found.shape[1] - 1
    for y in range(plane.shape[0]):
        before, place = 0, -1
        for x in range(plane.shape[1]):
            number = cells[y, x]
            if number == 0:
                continue
            if number != before:
                before, place = number, np.searchsorted(ids, number)
            row = found[place]
            value = plane[y, x]
            if not value > row[0]:
                continue
            slot = 0
            while slot < last and row[slot + 1] < value:
                row[slot] = row[slot + 1]
                slot += 1
            row[slot] = value
