"""Texture of chosen pixels: pairs of grey levels, and patterns of brighter neighbours.

Source: Haralick, Shanmugam and Dinstein, IEEE Trans. Syst. Man Cybern. 3, 610 (1973); Ojala,
Pietikäinen and Mäenpää, IEEE Trans. Pattern Anal. Mach. Intell. 24, 971 (2002), the uniform
patterns of 8 neighbours that do not change where the image turns.
"""

import numba
import numpy as np
import numpy.typing as npt

PAIR_NUMBERS = 5
PATTERNS = 10
_LEVELS = 8
_LEAST_PAIRS = 10


def measure_pairs(
    levels: npt.NDArray[np.uint8],
    parts: npt.NDArray[np.uint8],
    at: npt.NDArray[np.int32],
    apart: int,
) -> npt.NDArray[np.float64]:
    """Haralick's numbers of pairs of pixels, mean of the four directions.

    Args:
        levels: `[y, x]`, grey levels from 0 to 7.
        parts: `[y, x]`, 1 and 2 for the two parts, 0 for pixels that are left out.
        at: Flat positions of the pixels of both parts, none within `apart` pixels of the frame.
        apart: Pixels between the two of a pair along an axis; diagonal pairs are as many apart on
            both axes.

    Returns:
        Of all pixels, of part 1 and of part 2, `[3, (contrast, inverse difference, angular second
        moment, entropy in nats, correlation)]`. A pair counts for a part with both ends in it. NaN
        where no direction has 10 pairs; the correlation of one level alone is NaN.
    """
    result = np.full((3, PAIR_NUMBERS), np.nan)
    # 0 for pixels that are left out, 8 to 15 for levels of part 1, 16 to 23 for those of part 2.
    codes = (parts * np.uint8(_LEVELS) + levels) * (parts > 0)
    _pairs(codes.ravel(), at, codes.shape[1], apart, result)
    return result


def measure_patterns(
    image: npt.NDArray[np.float32],
    at: npt.NDArray[np.int32],
    first: int,
    steps: npt.NDArray[np.int64],
    slack: float,
) -> npt.NDArray[np.float64]:
    """How often each pattern of brighter neighbours occurs, `[3, pattern]`; a row adds up to 1.

    Pattern 0 to 8: so many of the 8 neighbours are as bright as the pixel, in one arc; pattern 9:
    in several arcs. Rows are those of all pixels, of the first part and of the rest, NaN for an
    empty one.

    Args:
        image: `[y, x]`.
        at: Flat positions of the pixels, so far from the frame that all neighbours lie in it.
        first: How many of them, from the beginning, are the first part.
        steps: The 8 neighbours in order around the pixel, `[neighbour, (y, x)]`.
        slack: A neighbour darker by no more than this counts as equally bright.
    """
    away = steps[:, 0] * image.shape[1] + steps[:, 1]
    counts = np.zeros((3, PATTERNS))
    _patterns(image.ravel(), at, first, away, np.float32(slack), counts)
    counts[0] = counts[1] + counts[2]
    with np.errstate(invalid="ignore"):
        shares: npt.NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return shares


@numba.njit(cache=True, nogil=True)
def _pairs(codes, at, width, apart, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found, related = np.zeros(3), np.zeros(3)
    sums = np.zeros((3, PAIR_NUMBERS))
    # Pairs beside each other are often alike: one counter would wait for itself, two take turns.
    every, other_half = np.empty((2, 3 * _LEVELS, 3 * _LEVELS), np.int32)
    even = len(at) // 2 * 2
    table = np.empty((_LEVELS, _LEVELS))
    for step in (apart, apart * width, apart * (width + 1), apart * (width - 1)):
        every[:] = 0
        other_half[:] = 0
        for k in range(0, even, 2):
            every[codes[at[k]], codes[at[k] + step]] += 1
            other_half[codes[at[k + 1]], codes[at[k + 1] + step]] += 1
        if even < len(at):
            every[codes[at[even]], codes[at[even] + step]] += 1
        every += other_half
        for row in range(3):
            table[:] = 0
            for one in (1, 2):
                for other in (1, 2):
                    # Both ends in the part; any two for the whole.
                    if row in (0, one) and row in (0, other):
                        y, x = one * _LEVELS, other * _LEVELS
                        table += every[y : y + _LEVELS, x : x + _LEVELS]
            if table.sum() >= _LEAST_PAIRS:
                found[row] += 1
                related[row] += _of_table(table + table.T, sums[row])
    for row in range(3):
        if found[row] > 0:
            result[row, :4] = sums[row, :4] / found[row]
        if related[row] > 0:
            result[row, 4] = sums[row, 4] / related[row]


@numba.njit(cache=True, nogil=True)
def _of_table(table, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the numbers of one table of pairs to `sums`; returns 1 where there is a correlation."""
    chance = table / table.sum()
    mean = square = product = 0.0
    for i in range(_LEVELS):
        for j in range(_LEVELS):
            p = chance[i, j]
            sums[0] += p * (i - j) ** 2
            sums[1] += p / (1 + abs(i - j))
            sums[2] += p * p
            if p > 0:
                sums[3] -= p * np.log(p)
            mean += p * i
            square += p * i * i
            product += p * i * j
    variance = square - mean * mean
    if variance < 1e-9:
        return 0.0
    sums[4] += (product - mean * mean) / variance
    return 1.0


@numba.njit(cache=True, nogil=True)
def _patterns(image, at, first, away, slack, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    kinds = np.empty(256, np.uint8)
    for bits in range(256):
        changes = bits ^ ((bits >> 1) | ((bits & 1) << 7))
        arcs = ones = 0
        for k in range(8):
            arcs += changes >> k & 1
            ones += bits >> k & 1
        kinds[bits] = ones if arcs <= 2 else 9
    # All neighbours of a run of pixels at once; what lies at the frame is looked at by none.
    far = np.abs(away).max()
    seen = np.zeros(len(image), np.uint8)
    for k in range(8):
        _compare(image, np.int64(away[k]), far, slack, np.uint8(1 << k), seen)
    for n in range(first):
        counts[1, kinds[seen[at[n]]]] += 1
    for n in range(first, len(at)):
        counts[2, kinds[seen[at[n]]]] += 1


@numba.njit(cache=True, nogil=True)
def _compare(image, away, far, slack, bit, seen):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Set the bit of pixels whose neighbour so far on is as bright."""
    count = len(image) - 2 * far
    own, other, marks = image[far : far + count], image[far + away :], seen[far : far + count]
    for n in range(count):
        marks[n] |= bit if other[n] >= own[n] - slack else np.uint8(0)
