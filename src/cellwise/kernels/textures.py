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
    levels: npt.NDArray[np.uint8], parts: npt.NDArray[np.uint8], apart: int
) -> npt.NDArray[np.float64]:
    """Haralick's numbers of pairs of pixels, mean of the four directions.

    Args:
        levels: `[y, x]`, grey levels from 0 to 7.
        parts: `[y, x]`, 1 and 2 for the two parts, 0 for pixels that are left out.
        apart: Pixels between the two of a pair along an axis; diagonal pairs are as many apart on
            both axes.

    Returns:
        Of all pixels, of part 1 and of part 2, `[3, (contrast, inverse difference, angular second
        moment, entropy in nats, correlation)]`. A pair counts for a part with both ends in it. NaN
        where no direction has 10 pairs; the correlation of one level alone is NaN.
    """
    result = np.full((3, PAIR_NUMBERS), np.nan)
    _pairs(levels, parts, apart, result)
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
def _pairs(levels, parts, apart, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = levels.shape
    found, related = np.zeros(3), np.zeros(3)
    sums = np.zeros((3, PAIR_NUMBERS))
    # Pairs within part 1, within part 2, and between them.
    tables = np.empty((3, _LEVELS, _LEVELS))
    for dy, dx in ((0, apart), (apart, 0), (apart, apart), (apart, -apart)):
        tables[:] = 0
        for y in range(height - dy):
            for x in range(max(0, -dx), width - max(0, dx)):
                one, other = parts[y, x], parts[y + dy, x + dx]
                if one != 0 and other != 0:
                    kind = one - 1 if one == other else 2
                    tables[kind, levels[y, x], levels[y + dy, x + dx]] += 1
        tables[2] += tables[0] + tables[1]
        for row in range(3):
            table = tables[row - 1]
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
    for n in range(len(at)):
        least = image[at[n]] - slack
        seen = 0
        for k in range(8):
            if image[at[n] + away[k]] >= least:
                seen |= 1 << k
        counts[1 if n < first else 2, kinds[seen]] += 1
