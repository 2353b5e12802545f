"""Bright patches inside a mask: connected pixels above a threshold, and what they add up to."""

import numba
import numpy as np
import numpy.typing as npt

NUMBERS = 11
_LARGE = 4


def measure_patches(
    bright: npt.NDArray[np.float32],
    signal: npt.NDArray[np.float32],
    away: npt.NDArray[np.float32],
    at: npt.NDArray[np.int32],
    threshold: float,
    total: float | None = None,
) -> npt.NDArray[np.float64]:
    """What the patches of `bright` above a threshold are like.

    Args:
        bright: `[y, x]`, what is thresholded.
        signal: `[y, x]`, what patches are weighed by, at least 0.
        away: `[y, x]`, a distance, averaged over patches by their signal; may be NaN.
        at: Flat positions of the pixels that are looked at, at least one and none in the outermost
            rows and columns; patches end at others.
        threshold: Pixels above it are bright; they touch by edges and corners.
        total: `signal_of` these pixels, where it is known.

    Returns:
        `(count, share of area, share of signal, mean area, largest area, share of the signal of all
        patches in the brightest, and in the three brightest, mean and deviation of the distance,
        patches of at least 4 pixels, short over long axis of the largest)`. Without a patch, or
        without signal, distances and axes are NaN and all others 0.
    """
    if total is None:
        total = signal_of(signal, at)
    flat = (bright.ravel(), signal.ravel(), away.ravel())
    return np.asarray(_measure(*flat, at, bright.shape[1], np.float32(threshold), total))


def signal_of(signal: npt.NDArray[np.float32], at: npt.NDArray[np.int32]) -> float:
    """The sum of an image over flat positions, in their order."""
    return float(_sum(signal.ravel(), at))


def otsu_threshold(
    values: npt.NDArray[np.float32], at: npt.NDArray[np.int32], top: float
) -> tuple[float, float]:
    """The threshold that parts some pixels best in two, and how far apart the means of both are.

    Args:
        values: An image.
        at: Flat positions of the pixels.
        top: Pixels are counted in 256 bins from 0 to here.

    Source: Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979).
    """
    found = _otsu(values.ravel(), at, np.float64(top))
    return float(found[0]), float(found[1])


def count_bright(
    bright: npt.NDArray[np.float32],
    away: npt.NDArray[np.float32],
    at: npt.NDArray[np.int32],
    first: int,
    threshold: float,
) -> tuple[int, int, int]:
    """Pixels above a threshold: all, those of the first part, and those near the nucleus's outline.

    Args:
        bright: `[y, x]`.
        away: `[y, x]`, distance from that outline, negative inside; may be NaN.
        at: Flat positions of the pixels.
        first: How many of them, from the beginning, are the first part.
        threshold: Pixels above it are bright.

    Returns:
        Counts; near are those within 2 pixels.
    """
    every, inner, near = _count(bright.ravel(), away.ravel(), at, first, np.float32(threshold))
    return int(every), int(inner), int(near)


@numba.njit(cache=True, nogil=True)
def _count(bright, away, at, first, threshold):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    every = inner = near = 0
    for k in range(len(at)):
        if bright[at[k]] > threshold:
            every += 1
            inner += k < first
            near += abs(away[at[k]]) <= 2
    return every, inner, near


@numba.njit(cache=True, nogil=True)
def _otsu(values, at, top):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    counts, sums = np.zeros(256), np.zeros(256)
    if not top > 0:
        return 0.0, 0.0
    for k in range(len(at)):
        value = values[at[k]]
        place = int(min(max(value / top * 255.0, 0.0), 255.0))
        counts[place] += 1
        sums[place] += value
    whole, total = counts.sum(), sums.sum()
    best, where, apart = -1.0, 0, 0.0
    below, mass = 0.0, 0.0
    for place in range(255):
        below += counts[place]
        mass += sums[place]
        if below == 0 or below == whole:
            continue
        difference = (total - mass) / (whole - below) - mass / below
        between = below * (whole - below) * difference * difference
        if between > best * (1 + 1e-9):
            best, where, apart = between, place, difference
    return (where + 1) * top / 255.0, apart


@numba.njit(cache=True, nogil=True)
def _sum(signal, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0.0
    for k in range(len(at)):
        total += signal[np.uint32(at[k])]
    return total


@numba.njit(cache=True, nogil=True)
def _measure(bright, signal, away, at, width, threshold, total):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    result = np.zeros(NUMBERS)
    result[7] = result[8] = result[10] = np.nan
    found = np.empty(len(at), np.int32)
    waiting = np.zeros(len(bright), np.uint8)
    lit = 0
    for k in range(len(at)):
        here = np.uint32(at[k])
        if bright[here] > threshold:
            found[lit] = here
            waiting[here] = 1
            lit += 1
    if lit == 0:
        return result
    stack = np.empty(lit, np.int32)
    # Of each patch: area, signal, signal x distance, signal x squared distance.
    sums = np.zeros((lit, 4))
    moments, own = np.zeros(5), np.zeros(5)
    count, largest = 0, 0.0
    for k in range(lit):
        if waiting[found[k]] == 0:
            continue
        own[:] = 0
        _grow(found[k], width, waiting, signal, away, stack, sums[count], own)
        if sums[count, 0] > largest:
            largest = sums[count, 0]
            moments[:] = own
        count += 1
    _sum_up(sums[:count], total, len(at), moments, result)
    return result


@numba.njit(cache=True, nogil=True)
def _grow(start, width, waiting, signal, away, stack, sums, own):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take the patch of a pixel off those waiting; `own` gets sums of y, x, yy, xx and yx."""
    top, left = start // width, start % width
    stack[0] = start
    waiting[start] = 0
    depth = 1
    while depth > 0:
        depth -= 1
        here = np.int64(stack[depth])
        y, x = here // width - top, here % width - left
        own[0] += y
        own[1] += x
        own[2] += y * y
        own[3] += x * x
        own[4] += y * x
        weight, far = np.float64(signal[here]), np.float64(away[here])
        sums[0] += 1
        sums[1] += weight
        sums[2] += weight * far
        sums[3] += weight * far * far
        for row in (here - width, here, here + width):
            for near in range(row - 1, row + 2):
                if waiting[near] != 0:
                    waiting[near] = 0
                    stack[depth] = near
                    depth += 1


@numba.njit(cache=True, nogil=True)
def _sum_up(sums, total, area, moments, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = len(sums)
    lit, mass = sums[:, 0].sum(), sums[:, 1].sum()
    largest = sums[:, 0].max()
    result[0] = count
    result[1] = lit / area
    result[2] = mass / total if total > 0 else 0.0
    result[3] = lit / count
    result[4] = largest
    result[9] = (sums[:, 0] >= _LARGE).sum()
    if mass > 0:
        one = two = three = 0.0
        for k in range(count):
            value = sums[k, 1]
            if value > one:
                one, two, three = value, one, two
            elif value > two:
                two, three = value, two
            elif value > three:
                three = value
        result[5] = one / mass
        result[6] = (one + two + three) / mass
        mean = sums[:, 2].sum() / mass
        square = sums[:, 3].sum() / mass - mean * mean
        result[7] = mean
        result[8] = square if np.isnan(square) else np.sqrt(max(square, 0.0))
    # A pixel is a square: its own second moment is 1/12.
    y, x = moments[0] / largest, moments[1] / largest
    tall = moments[2] / largest - y * y + 1 / 12
    wide = moments[3] / largest - x * x + 1 / 12
    half = np.hypot((tall - wide) / 2, moments[4] / largest - y * x)
    middle = (tall + wide) / 2
    result[10] = np.sqrt(max(middle - half, 0.0) / (middle + half))
