"""Moments and quantiles of chosen pixels in two parts and together, without sorting them all.

Quantiles are exact order statistics: pixels are counted in bins, and only those in the bins that
hold a wanted rank are sorted. Where a bin holds many, as of a dark cell with a few bright spots,
they are dealt to bins of their own first. Both parts share one pass over the pixels.
"""

import numba
import numpy as np
import numpy.typing as npt

MOMENTS = 4
_BINS = 1024
# More pixels of one bin are dealt to bins of their own.
_MANY = 48


def describe(
    values: npt.NDArray[np.float32],
    at: npt.NDArray[np.int32],
    first: int,
    shares: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Mean, standard deviation, skewness and kurtosis of some pixels, then their quantiles.

    Args:
        values: An image in C order, finite at those pixels.
        at: Positions of the pixels in the flat image, at least one.
        first: How many of them, from the beginning, are the first part.
        shares: Ascending shares in 0..1; quantiles are interpolated linearly as numpy's.

    Returns:
        Float64 `[3, 4 + shares]` of all pixels, of the first part and of the rest; NaN for an empty
        part. Skewness is 0 and kurtosis 3 where all are equal.
    """
    result = np.full((3, MOMENTS + len(shares)), np.nan)
    _describe(values.ravel(), at, first, shares, result)
    return result


def average(
    values: npt.NDArray[np.float32] | npt.NDArray[np.uint16],
    at: npt.NDArray[np.int32],
    first: int,
) -> npt.NDArray[np.float64]:
    """Means of all these pixels, of the first part and of the rest; NaN for an empty part."""
    return np.asarray(_average(values.ravel(), at, first))


@numba.njit(cache=True, nogil=True)
def _average(values, at, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    one = rest = 0.0
    for k in range(first):
        one += values[at[k]]
    for k in range(first, len(at)):
        rest += values[at[k]]
    result = np.full(3, np.nan)
    result[0] = (one + rest) / len(at)
    if first > 0:
        result[1] = one / first
    if len(at) > first:
        result[2] = rest / (len(at) - first)
    return result


@numba.njit(cache=True, nogil=True)
def _describe(values, at, first, shares, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = len(at)
    some = np.empty(count, np.float32)
    low = high = values[at[0]]
    for k in range(count):
        value = values[at[k]]
        some[k] = value
        low, high = min(low, value), max(high, value)
    counts = np.array([count, first, count - first])
    # Powers about the mean of each part; of all pixels those of both parts, moved to their mean.
    sums, means = np.zeros((3, 3)), np.zeros(3)
    for part, begin, end in ((1, 0, first), (2, first, count)):
        if counts[part] > 0:
            means[part] = _add_powers(some[begin:end], sums[part])
    means[0] = (means[1] * first + means[2] * (count - first)) / count
    for part in (1, 2):
        _move(sums[part], means[part] - means[0], counts[part], sums[0])
    size = max(abs(low), abs(high))
    for part in range(3):
        if counts[part] > 0:
            _moments(means[part], sums[part] / counts[part], size, result[part])
    if len(shares) > 0:
        _quantiles(some, counts, low, high, shares, result)


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _add_powers(some, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sums of the second to fourth powers about the mean; returns the mean."""
    mean = 0.0
    for k in range(len(some)):
        mean += np.float64(some[k])
    mean /= len(some)
    two = three = four = 0.0
    for k in range(len(some)):
        away = np.float64(some[k]) - mean
        square = away * away
        two += square
        three += square * away
        four += square * square
    sums[0], sums[1], sums[2] = two, three, four
    return mean


@numba.njit(cache=True, nogil=True)
def _move(sums, by, count, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add sums of powers about another point to `target`; `by` is how far the mean lies from it."""
    two, three, four = sums[0], sums[1], sums[2]
    target[0] += two + by**2 * count
    target[1] += three + 3 * by * two + by**3 * count
    target[2] += four + 4 * by * three + 6 * by**2 * two + by**4 * count


@numba.njit(cache=True, nogil=True)
def _moments(mean, powers, size, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    spread = np.sqrt(powers[0])
    flat = spread <= 1e-6 * size
    result[0] = mean
    result[1] = 0.0 if flat else spread
    result[2] = 0.0 if flat else powers[1] / spread**3
    result[3] = 3.0 if flat else powers[2] / powers[0] ** 2


@numba.njit(cache=True, nogil=True)
def _quantiles(some, counts, low, high, shares, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if not high > low:
        for part in range(3):
            if counts[part] > 0:
                result[part, MOMENTS:] = low
        return
    scale = np.float32(_BINS - 1) / (high - low)
    bins = np.empty(len(some), np.uint16)
    starts = np.zeros((3, _BINS + 1), np.int32)
    for k in range(len(some)):
        bins[k] = np.uint16(np.int32((some[k] - low) * scale))
    for part in (1, 2):
        begin = 0 if part == 1 else counts[1]
        _count(bins[begin : begin + counts[part]], starts[part])
    starts[0] = starts[1] + starts[2]
    begins, ends = np.array([0, 0, counts[1]]), np.array([counts[0], counts[1], counts[0]])
    for part in range(3):
        if counts[part] > 0:
            for k in range(_BINS):
                starts[part, k + 1] += starts[part, k]
            some_, bins_ = some[begins[part] : ends[part]], bins[begins[part] : ends[part]]
            _of_shares(some_, bins_, starts[part], shares, result[part])


@numba.njit(cache=True, nogil=True)
def _count(bins, starts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add how many lie in each bin to the place after it.

    Neighbours often share a bin: one counter would wait for itself, four take turns.
    """
    two, three, four = np.zeros_like(starts), np.zeros_like(starts), np.zeros_like(starts)
    whole = len(bins) // 4 * 4
    for k in range(0, whole, 4):
        starts[np.int64(bins[k]) + 1] += 1
        two[np.int64(bins[k + 1]) + 1] += 1
        three[np.int64(bins[k + 2]) + 1] += 1
        four[np.int64(bins[k + 3]) + 1] += 1
    for k in range(whole, len(bins)):
        starts[np.int64(bins[k]) + 1] += 1
    for k in range(len(starts)):
        starts[k] += two[k] + three[k] + four[k]


@numba.njit(cache=True, nogil=True)
def _of_shares(some, bins, starts, shares, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The quantiles, from how many pixels lie below each bin."""
    count = len(some)
    # Where the pixels of a wanted bin begin among those that are kept; others are -1.
    wanted = np.full(_BINS, -1, np.int64)
    listed = np.empty(2 * len(shares), np.int64)
    many = 0
    room = np.int64(0)
    for share in shares:
        lower = int(share * (count - 1))
        for wish in (lower, min(lower + 1, count - 1)):
            place = np.searchsorted(starts, wish, side="right") - 1
            if wanted[place] < 0:
                wanted[place] = room
                room = room + starts[place + 1] - starts[place]
                listed[many] = place
                many += 1
    held = np.empty(room, np.float32)
    filled = wanted.copy()
    for k in range(count):
        own = bins[k]
        if filled[own] >= 0:
            held[filled[own]] = some[k]
            filled[own] += 1
    for place in listed[:many]:
        _sort(held[wanted[place] : filled[place]])
    for k in range(len(shares)):
        rank = shares[k] * (count - 1)
        between = rank - int(rank)
        below = _of_rank(int(rank), starts, wanted, held)
        above = _of_rank(min(int(rank) + 1, count - 1), starts, wanted, held)
        result[MOMENTS + k] = below * (1 - between) + above * between


@numba.njit(cache=True, nogil=True)
def _of_rank(rank, starts, wanted, held):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    place = np.searchsorted(starts, rank, side="right") - 1
    return np.float64(held[wanted[place] + rank - starts[place]])


@numba.njit(cache=True, nogil=True)
def _sort(held):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sort in place."""
    if len(held) <= _MANY:
        _insert(held)
        return
    low, high = held.min(), held.max()
    if not high > low:
        return
    scale = np.float32(255) / (high - low)
    starts = np.zeros(257, np.int64)
    for value in held:
        starts[np.int64(np.uint8((value - low) * scale)) + 1] += 1
    for k in range(256):
        starts[k + 1] += starts[k]
    free, dealt = starts.copy(), np.empty_like(held)
    for value in held:
        own = np.int64(np.uint8((value - low) * scale))
        dealt[free[own]] = value
        free[own] += 1
    for k in range(256):
        some = dealt[starts[k] : starts[k + 1]]
        if len(some) <= _MANY:
            _insert(some)
        else:
            some.sort()
    held[:] = dealt


@numba.njit(cache=True, nogil=True)
def _insert(some):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sort few in place."""
    for k in range(1, len(some)):
        value, free = some[k], k
        while free > 0 and some[free - 1] > value:
            some[free] = some[free - 1]
            free -= 1
        some[free] = value
