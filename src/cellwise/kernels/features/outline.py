"""Area, outline and form of one mask in one pass, as `kernels.shape` has them for a label image."""

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.shape import _hull_areas


def measure_outline(mask: npt.NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Area, perimeter, eccentricity and solidity of a mask.

    The perimeter counts steps between the pixels of the rim, which are those with one outside at
    their side. Source: Benkrid and Crookes, Design and FPGA Implementation of a Perimeter Estimator
    (2000), as scikit-image has it. For the other two see `kernels.shape.Shapes`.

    Args:
        mask: `[y, x]`, 0 or 1, none in the outermost rows and columns.

    Returns:
        `(area, perimeter, eccentricity, solidity)`, in pixels; NaN but for the area where it is 0.
    """
    area, perimeter, eccentricity, solidity = _measure(mask, _LENGTHS)
    return float(area), float(perimeter), float(eccentricity), float(solidity)


# By the sum over rim pixels around a rim pixel: 10 for one across a corner, 2 for one at the side.
_LENGTHS = np.zeros(64)
_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_LENGTHS[[21, 33]] = np.sqrt(2)
_LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2


@numba.njit(cache=True, nogil=True)
def _measure(mask, lengths):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = mask.shape
    rim = np.zeros((height, width), np.uint8)
    left, right = np.full(height, width, np.int64), np.zeros(height, np.int64)
    area = down = across = 0.0
    top, bottom = height, 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if mask[y, x] == 0:
                continue
            area += 1
            down += y
            across += x
            left[y] = min(left[y], x)
            right[y] = x + 1
            top, bottom = min(top, y), y + 1
            sides = mask[y - 1, x] + mask[y + 1, x] + mask[y, x - 1] + mask[y, x + 1]
            if sides < 4:
                rim[y, x] = 1
    if area == 0:
        return 0.0, np.nan, np.nan, np.nan
    down, across = down / area, across / area
    perimeter = yy = xx = yx = 0.0
    for y in range(1, height - 1):
        for x in range(left[y], right[y]):
            if mask[y, x] == 0:
                continue
            yy += (y - down) * (y - down)
            xx += (x - across) * (x - across)
            yx += (y - down) * (x - across)
            if rim[y, x] == 0:
                continue
            sides = rim[y - 1, x] + rim[y + 1, x] + rim[y, x - 1] + rim[y, x + 1]
            corners = rim[y - 1, x - 1] + rim[y - 1, x + 1] + rim[y + 1, x - 1] + rim[y + 1, x + 1]
            perimeter += lengths[1 + 2 * sides + 10 * corners]
    # A pixel counts as a square, not as a point.
    mean = (yy + xx) / (2 * area) + 1 / 12
    half = np.hypot((yy - xx) / (2 * area), yx / area)
    roundness = min(max((mean - half) / (mean + half), 0.0), 1.0)
    hull = _hull_areas(np.array([top, bottom]), left, right)[0]
    return area, perimeter, np.sqrt(1 - roundness), area / max(hull, 1.0)
