"""Sums over zones and directions of a cell, and correlations over its pixels."""

import numba
import numpy as np
import numpy.typing as npt

SECTORS = 8


def code_zones(
    parts: npt.NDArray[np.uint8],
    away: npt.NDArray[np.float32],
    depth: npt.NDArray[np.float32],
    bins: int,
) -> npt.NDArray[np.uint32]:
    """Which zones of a cell each pixel lies in, one bit each, `[y, x]`.

    Bits 0 to 9: nucleus, cytoplasm, nucleus deeper than 4, 2 to 4, rim within 2 of its outline,
    cytoplasm 2 to 5, 5 to 10 and beyond 10 of it (and deeper than 5), within 2 of the cell's edge,
    and 2 to 5. From bit 10 on: bins of `away / (away + depth)` in the cytoplasm.

    Args:
        parts: `[y, x]`, 1 for the nucleus, 2 for the rest of the cell, 0 for others.
        away: Distance from the outline of the nucleus, negative inside; NaN where there is none.
        depth: Distance from the cell's edge.
        bins: How many bins.
    """
    codes = np.zeros(parts.shape, np.uint32)
    _code(parts.ravel(), away.ravel(), depth.ravel(), bins, codes.ravel())
    return codes


def places_of_parts(parts: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int32], int]:
    """Flat positions of the pixels of part 1 and then of part 2, and how many the first has."""
    at, first = _places(parts.ravel())
    return at, int(first)


def sum_zones(
    image: npt.NDArray[np.float32], codes: npt.NDArray[np.uint32], count: int
) -> npt.NDArray[np.float64]:
    """Pixels, sum and sum of squares of each zone, `[zone, 3]`.

    Args:
        image: `[y, x]`, finite.
        codes: `[y, x]`, bit k for zone k; zones may overlap.
        count: How many zones there are, at most 32.
    """
    sums = np.zeros((count, 3))
    _sum(image.ravel(), codes.ravel(), sums)
    return sums


def sum_directions(
    image: npt.NDArray[np.float32], at: npt.NDArray[np.int32], middle: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums over directions from a point.

    Args:
        image: `[y, x]`.
        at: Flat positions of the pixels.
        middle: The point, `(y, x)`.

    Returns:
        Sums `(value, value cos a, value sin a, value cos 2a, value sin 2a)` over the angle a, and
        pixels and values of eight sectors, `[sector, 2]`.
    """
    sums, sectors = np.zeros(5), np.zeros((SECTORS, 2))
    _directions(image.ravel(), at, image.shape[1], middle[0], middle[1], sums, sectors)
    return sums, sectors


def correlate(
    one: npt.NDArray[np.float32],
    other: npt.NDArray[np.float32],
    coarse: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    at: npt.NDArray[np.int32],
    first: int,
) -> npt.NDArray[np.float64]:
    """Pearson's correlation of two images over some pixels, in two parts and together.

    Args:
        one: `[y, x]`.
        other: `[y, x]`.
        coarse: What is taken off both for the correlation of what is fine.
        at: Flat positions of the pixels.
        first: How many of them, from the beginning, are the first part.

    Returns:
        `[3, 2]`: of all pixels, of the first part and of the rest; of the images and of what is
        fine in them. NaN where either is constant.
    """
    images = (one.ravel(), other.ravel(), coarse[0].ravel(), coarse[1].ravel())
    return np.asarray(_correlate(*images, at, first))


@numba.njit(cache=True, nogil=True)
def _places(parts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    first = rest = 0
    for k in range(len(parts)):
        first += parts[k] == 1
        rest += parts[k] == 2
    at = np.empty(first + rest, np.int32)
    own, other = 0, first
    for k in range(len(parts)):
        if parts[k] == 1:
            at[own] = k
            own += 1
        elif parts[k] == 2:
            at[other] = k
            other += 1
    return at, first


@numba.njit(cache=True, nogil=True)
def put_above(image, at, level, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write by how much chosen pixels lie above a level, at least 0; returns their mean.

    All are flat: `image` and `result` float32, positions `at` int32, `level` float32.
    """
    total = 0.0
    for k in range(len(at)):
        value = max(image[at[k]] - level, np.float32(0))
        result[at[k]] = value
        total += value
    return total / len(at)


@numba.njit(cache=True, nogil=True)
def _code(parts, away, depth, bins, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for k in range(len(parts)):
        part = parts[k]
        if part == 0:
            continue
        far, deep = np.float64(away[k]), np.float64(depth[k])
        code = 1 if part == 1 else 0
        if abs(far) <= 2:
            code |= 16
        if part == 1:
            if far < -4:
                code |= 4
            elif far < -2:
                code |= 8
        else:
            if deep <= 2.3:
                code |= 256
            elif deep <= 5:
                code |= 512
            if not np.isnan(far):
                code |= 2
                if far > 10:
                    code |= 128 if deep > 5 else 0
                elif far > 5:
                    code |= 64
                elif far > 2:
                    code |= 32
                place = int(far / (far + deep + 1e-6) * bins)
                code |= 1 << (10 + min(max(place, 0), bins - 1))
        codes[k] = code


@numba.njit(cache=True, nogil=True)
def _sum(image, codes, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for k in range(len(image)):
        code = codes[k]
        zone = 0
        value = np.float64(image[k])
        while code != 0:
            if code & 1:
                sums[zone, 0] += 1
                sums[zone, 1] += value
                sums[zone, 2] += value * value
            code >>= 1
            zone += 1


@numba.njit(cache=True, nogil=True)
def _directions(image, at, width, middle_y, middle_x, sums, sectors):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for k in range(len(at)):
        y, x = at[k] // width - middle_y, at[k] % width - middle_x
        value = np.float64(image[at[k]])
        sums[0] += value
        length = np.sqrt(y * y + x * x)
        if length == 0:
            continue
        cosine, sine = x / length, y / length
        sums[1] += value * cosine
        sums[2] += value * sine
        sums[3] += value * (cosine * cosine - sine * sine)
        sums[4] += value * 2 * cosine * sine
        sector = (4 if y < 0 else 0) + (2 if x < 0 else 0) + (1 if abs(x) < abs(y) else 0)
        sectors[sector, 0] += 1
        sectors[sector, 1] += value


def brightest(image: npt.NDArray[np.float32], at: npt.NDArray[np.int32]) -> int:
    """The first of some flat positions at which an image is brightest; at least one is given."""
    return int(_brightest(image.ravel(), at))


@numba.njit(cache=True, nogil=True)
def _brightest(image, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    place = at[0]
    for here in at:
        if image[here] > image[place]:
            place = here
    return place


@numba.njit(cache=True, nogil=True)
def _correlate(one, other, coarse, rough, at, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # About a value of each image, so that sums of squares lose no digits.
    zero, null = np.float64(one[at[0]]), np.float64(other[at[0]])
    sums = np.zeros((3, 2, 5))
    for part in (1, 2):
        begin, end = (0, first) if part == 1 else (first, len(at))
        # Sums in names of their own stay in registers.
        a, b, aa, bb, ab = 0.0, 0.0, 0.0, 0.0, 0.0
        c, d, cc, dd, cd = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(begin, end):
            here = at[k]
            low, far = one[here] - zero, other[here] - null
            a, b, aa, bb, ab = a + low, b + far, aa + low * low, bb + far * far, ab + low * far
            low = np.float64(one[here] - coarse[here])
            far = np.float64(other[here] - rough[here])
            c, d, cc, dd, cd = c + low, d + far, cc + low * low, dd + far * far, cd + low * far
        for number, pair in enumerate(((a, b, aa, bb, ab), (c, d, cc, dd, cd))):
            for place, value in enumerate(pair):
                sums[part, number, place] = value
    sums[0] = sums[1] + sums[2]
    counts = (len(at), first, len(at) - first)
    result = np.full((3, 2), np.nan)
    for row in range(3):
        for kind in range(2):
            if counts[row] > 0:
                offsets = (zero, null) if kind == 0 else (0.0, 0.0)
                result[row, kind] = _pearson(sums[row, kind] / counts[row], offsets)
    return result


@numba.njit(cache=True, nogil=True)
def _pearson(means, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    a, b, aa, bb, ab = means
    left, right = aa - a * a, bb - b * b
    # Less is rounding of a constant image.
    if (
        left <= 1e-10 * (offsets[0] + a) ** 2 + 1e-12
        or right <= 1e-10 * (offsets[1] + b) ** 2 + 1e-12
    ):
        return np.nan
    return min(max((ab - a * b) / np.sqrt(left * right), -1.0), 1.0)
