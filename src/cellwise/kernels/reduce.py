"""Fields made smaller by a whole factor, without mixing the pixels of two cells."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[Any]


def reduce_field(
    pixels: npt.NDArray[np.float32], cells: Labels, nuclei: Labels, factor: int
) -> tuple[npt.NDArray[np.float32], Labels, Labels]:
    """A field and its masks with `factor` x `factor` pixels made one.

    A block takes the labels of its middle pixel, and the mean of those of its pixels that lie in
    the same cell. Rows and columns that fill no block are left out.

    Args:
        pixels: `[channel, y, x]`.
        cells: Label image.
        nuclei: Label image.
        factor: At least 1.
    """
    if factor == 1:
        return pixels, cells, nuclei
    height, width = cells.shape[0] // factor, cells.shape[1] // factor
    middle = slice(factor // 2, None, factor)
    small = np.ascontiguousarray(cells[middle, middle][:height, :width])
    inner = np.ascontiguousarray(nuclei[middle, middle][:height, :width])
    means = np.empty((len(pixels), height, width), np.float32)
    _average(np.ascontiguousarray(pixels), np.ascontiguousarray(cells), small, factor, means)
    return means, small, inner


@numba.njit(cache=True, nogil=True)
def _average(pixels, cells, small, factor, means):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    channels, height, width = means.shape
    for y in range(height):
        for x in range(width):
            own = small[y, x]
            count = 0
            means[:, y, x] = 0
            for v in range(y * factor, y * factor + factor):
                for u in range(x * factor, x * factor + factor):
                    if cells[v, u] == own:
                        count += 1
                        for c in range(channels):
                            means[c, y, x] += pixels[c, v, u]
            means[:, y, x] /= count
