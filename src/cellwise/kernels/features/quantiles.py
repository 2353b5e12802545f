"""Order statistics of chosen pixels, exact, without sorting them all.

Pixels are counted in bins, and only those in the bins that hold a wanted rank are sorted. Where a
bin holds many, as of a dark cell with a few bright spots, they are dealt to bins of their own
first.
"""

import numba
import numpy as np
import numpy.typing as npt

_BINS = 1024
# More pixels of one bin are dealt to bins of their own.
_MANY = 48


def ranked(
    values: npt.NDArray[np.float32], at: npt.NDArray[np.int64], ranks: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """What stands at these places among the sorted values of some pixels, from 0.

    Args:
        values: An image in C order, finite at those pixels.
        at: Positions of the pixels in the flat image, at least one.
        ranks: Below the number of pixels.
    """
    return np.asarray(_ranked(values.ravel(), at, ranks))


@numba.njit(cache=True, nogil=True)
def _ranked(values, at, ranks):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = len(at)
    some = np.empty(count, np.float32)
    low = high = values[at[0]]
    for k in range(count):
        value = values[np.uint32(at[k])]
        some[k] = value
        low, high = min(low, value), max(high, value)
    result = np.full(len(ranks), low)
    if not high > low:
        return result
    scale = np.float32(_BINS - 1) / (high - low)
    bins = np.empty(count, np.uint16)
    for k in range(count):
        bins[k] = np.uint16(np.int32((some[k] - low) * scale))
    starts = np.zeros(_BINS + 1, np.int32)
    _count(bins, starts)
    for k in range(_BINS):
        starts[k + 1] += starts[k]
    asked, wanted = np.zeros(_BINS, np.uint8), np.full(_BINS, -1, np.int32)
    held = np.empty(_want(ranks, starts, wanted, asked), np.float32)
    filled = wanted.copy()
    for k in range(count):
        if asked[bins[k]] != 0:
            held[filled[bins[k]]] = some[k]
            filled[bins[k]] += 1
    for k in range(_BINS):
        if filled[k] > wanted[k]:
            _sort(held[wanted[k] : filled[k]])
    for k in range(len(ranks)):
        result[k] = _of_rank(ranks[k], starts, wanted, held)
    return result


@numba.njit(cache=True, nogil=True)
def fill_quantiles(some, counts, low, high, shares, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Quantiles of all pixels, of the first part and of the rest, as `describe` asks for."""
    if not high > low:
        for part in range(3):
            if counts[part] > 0:
                result[part, :] = low
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
    # Which bins hold a rank that is wanted, of any part: few pixels lie in one.
    asked = np.zeros(_BINS, np.uint8)
    wanted = np.full((3, _BINS), -1, np.int32)
    rooms = np.zeros(3, np.int64)
    for part in range(3):
        if counts[part] > 0:
            for k in range(_BINS):
                starts[part, k + 1] += starts[part, k]
            rooms[part] = _want(_ranks(shares, counts[part]), starts[part], wanted[part], asked)
    filled = wanted.copy()
    held = np.empty((3, rooms.max()), np.float32)
    for k in range(len(some)):
        own = bins[k]
        if asked[own] == 0:
            continue
        for part in (0, 1 if k < counts[1] else 2):
            place = filled[part, own]
            if place >= 0:
                held[part, place] = some[k]
                filled[part, own] = place + 1
    for part in range(3):
        if counts[part] > 0:
            for k in range(_BINS):
                if filled[part, k] > wanted[part, k]:
                    _sort(held[part, wanted[part, k] : filled[part, k]])
            _of_shares(shares, counts[part], starts[part], wanted[part], held[part], result[part])


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
def _ranks(shares, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Between which two pixels each share of the sorted ones lies."""
    ranks = np.empty(2 * len(shares), np.int64)
    for k in range(len(shares)):
        ranks[2 * k] = int(shares[k] * (count - 1))
        ranks[2 * k + 1] = min(ranks[2 * k] + 1, count - 1)
    return ranks


@numba.njit(cache=True, nogil=True)
def _want(ranks, starts, wanted, asked):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say where the pixels of each bin that holds a wanted rank begin; returns how many they are.

    `starts` are how many pixels lie below each bin; `wanted` stays -1 for the others.
    """
    room = 0
    for rank in ranks:
        place = np.searchsorted(starts, rank, side="right") - 1
        if wanted[place] < 0:
            wanted[place] = room
            asked[place] = 1
            room += starts[place + 1] - starts[place]
    return room


@numba.njit(cache=True, nogil=True)
def _of_shares(shares, count, starts, wanted, held, result):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The quantiles, from the sorted pixels of wanted bins."""
    for k in range(len(shares)):
        rank = shares[k] * (count - 1)
        between = rank - int(rank)
        below = _of_rank(int(rank), starts, wanted, held)
        above = _of_rank(min(int(rank) + 1, count - 1), starts, wanted, held)
        result[k] = below * (1 - between) + above * between


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
