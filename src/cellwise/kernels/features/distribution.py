"""Moments and quantiles of chosen pixels in two parts and together, without sorting them all.

Quantiles are exact order statistics (`quantiles`). Both parts share one pass over the pixels.
"""

import numba
import numpy as np
import numpy.typing as npt

from cellwise.kernels.features.quantiles import fill_quantiles

MOMENTS = 4


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
    return np.asarray(_describe(values.ravel(), at, first, shares))


def average(
    values: npt.NDArray[np.float32] | npt.NDArray[np.uint16],
    at: npt.NDArray[np.int32],
    first: int,
) -> npt.NDArray[np.float64]:
    """Means of all these pixels, of the first part and of the rest; NaN for an empty part."""
    add = _add_numbers if values.dtype == np.uint16 else _add
    return np.asarray(_means(*add(values.ravel(), at, first), first, len(at)))


@numba.njit(cache=True, nogil=True)
def _add(values, at, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    one = rest = 0.0
    for k in range(first):
        one += values[np.uint32(at[k])]
    for k in range(first, len(at)):
        rest += values[np.uint32(at[k])]
    return one, rest


@numba.njit(cache=True, nogil=True)
def _add_numbers(values, at, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The same of whole numbers, whose sums are exact in any order and so need not wait."""
    one = rest = np.int64(0)
    for k in range(first):
        one += np.int64(values[np.uint32(at[k])])
    for k in range(first, len(at)):
        rest += np.int64(values[np.uint32(at[k])])
    return float(one), float(rest)


@numba.njit(cache=True, nogil=True)
def _means(one, rest, first, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    result = np.full(3, np.nan)
    result[0] = (one + rest) / count
    if first > 0:
        result[1] = one / first
    if count > first:
        result[2] = rest / (count - first)
    return result


@numba.njit(cache=True, nogil=True)
def _describe(values, at, first, shares):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = len(at)
    result = np.full((3, MOMENTS + len(shares)), np.nan)
    some = np.empty(count, np.float32)
    low = high = values[at[0]]
    for k in range(count):
        value = values[np.uint32(at[k])]
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
        fill_quantiles(some, counts, low, high, shares, result[:, MOMENTS:])
    return result


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
