"""The nearest neighbours of each of many points: matrix products in blocks, a selection per row.

Up to 4,096 points all are compared. More are dealt out to lists around centres, and a point is
compared with those of the lists near its own, at least 4,096 or twenty for each neighbour. Points
are best given in the order of their lists (`in_lists`): what is near is then near in memory too.

Source: inverted lists of Jegou, Douze and Schmid 2011; centres by the rounds of Lloyd 1982.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]

# Up to so many points all pairs are compared.
_ALL = 4096
_OF_LIST = 384
_MOST_LISTS = 2048
_ROUNDS = 6
_SAMPLE_OF_LIST = 40
# Points that each is compared with where not with all.
_LEAST, _FOR_EACH = 4096, 20
# Rows of a product at a time, so that it stays in the cache.
_ROWS = 256
# Every how many of a row a guess is made from.
_STEP = 8


@dataclass(frozen=True, slots=True)
class Lists:
    """Points dealt out by where they lie.

    Args:
        order: `[point]`, the points list after list.
        starts: `[list + 1]`, where each list begins in `order`.
        centres: `[list, number]`.
    """

    order: Places
    starts: Places
    centres: Floats


def in_lists(points: Floats, seed: int = 0) -> Lists:
    """Deal out points to lists, one list for up to 4,096.

    Args:
        points: `[point, number]`, finite.
        seed: Of the points that the first centres are.
    """
    count = len(points)
    wanted = 1 if count <= _ALL else min(_MOST_LISTS, count // _OF_LIST)
    if wanted == 1:
        middle = points.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
        return Lists(np.arange(count), np.array([0, count]), middle)
    random = np.random.default_rng(seed)
    sample = points[np.sort(random.permutation(count)[: wanted * _SAMPLE_OF_LIST])]
    centres = sample[np.sort(random.permutation(len(sample))[:wanted])]
    for _ in range(_ROUNDS):
        near = _nearest(sample, centres)
        sums = np.zeros(centres.shape, np.float64)
        _add_rows(sample, near, sums)
        held = np.bincount(near, minlength=wanted)
        # A centre that lost all its points stays where it is.
        centres = np.where(held[:, None] > 0, sums / np.maximum(held, 1)[:, None], centres)
        centres = centres.astype(np.float32)
    near = _nearest(points, centres)
    order = np.argsort(near, kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(near, minlength=wanted))]
    return Lists(order, starts, centres)


def nearest(points: Floats, count: int, lists: Lists, apart: Places | None = None) -> Ids:
    """`[point, neighbour]`: the nearest other points of each, in no order; -1 where there are less.

    Args:
        points: `[point, number]` in the order of the lists, finite.
        count: Neighbours of each, at least 1.
        lists: What `in_lists` made of them.
        apart: `[point]`; points of the same number are no neighbours. None where all may be.

    Raises:
        ValueError: No neighbours are asked for.
    """
    if count < 1:
        raise ValueError(f"Neighbours are at least 1, not {count}.")
    points = np.ascontiguousarray(points, np.float32)
    found = np.full((len(points), count), -1, np.int32)
    halves = np.float32(0.5) * np.einsum("ij,ij->i", points, points)
    groups = np.arange(len(points)) if apart is None else np.asarray(apart, np.int64)
    sizes = np.diff(lists.starts)
    least = max(_LEAST, _FOR_EACH * count)
    between = lists.centres @ lists.centres.T
    norms = np.diag(between)
    for number in np.flatnonzero(sizes):
        by_distance = np.argsort(norms - 2 * between[number], kind="stable")
        enough = int(np.searchsorted(np.cumsum(sizes[by_distance]), least)) + 1
        chosen = np.sort(by_distance[:enough])
        spans = [np.arange(lists.starts[j], lists.starts[j + 1], dtype=np.int32) for j in chosen]
        near = np.concatenate(spans)
        others, offsets = points[near].T, halves[near]
        for begin in range(lists.starts[number], lists.starts[number + 1], _ROWS):
            rows = slice(begin, min(begin + _ROWS, lists.starts[number + 1]))
            _select(points[rows] @ others, offsets, near, groups, begin, found[rows])
    return found


def _nearest(points: Floats, centres: Floats) -> Places:
    """`[point]`: the nearest centre."""
    halves = 0.5 * np.einsum("ij,ij->i", centres, centres)
    found = np.empty(len(points), np.int64)
    turned = np.ascontiguousarray(centres.T)
    for begin in range(0, len(points), 2048):
        rows = slice(begin, begin + 2048)
        found[rows] = np.argmax(points[rows] @ turned - halves, axis=1)
    return found


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_rows(points: Floats, place: Places, sums: npt.NDArray[np.float64]) -> None:
    for row in range(len(points)):
        for number in range(points.shape[1]):
            sums[place[row], number] += points[row, number]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _select(
    products: Floats, halves: Floats, ids: Ids, groups: Places, first: int, found: Ids
) -> None:
    """The `found.shape[1]` smallest of `halves - products` of each row.

    A bar is guessed from some of the row. What is below it is kept; where twice as many are kept as
    are wanted, the larger half is let go and the bar comes down. Where the guess was too low, the
    row is gone through once more without.
    """
    count = found.shape[1]
    room = 2 * count + 32
    step = min(_STEP, len(ids) // room)
    held = np.empty(max(room, len(ids) // max(step, 1) + 1), np.float32)
    names = np.empty(len(held), np.int32)
    for row in range(len(products)):
        own = groups[first + row]
        bar = np.float32(np.inf)
        if step > 1:
            bar = _guess(products[row], halves, ids, groups, own, step, count, held, names)
        used = 0
        while True:
            for at in range(len(ids)):
                value = halves[at] - products[row, at]
                if value < bar and groups[ids[at]] != own:
                    held[used] = value
                    names[used] = ids[at]
                    used += 1
                    if used == room:
                        _smallest_first(held, names, used, count)
                        used = count
                        bar = held[:count].max()
            if used >= count or bar == np.inf:
                break
            bar, used = np.float32(np.inf), 0
        if used > count:
            _smallest_first(held, names, used, count)
            used = count
        found[row, :used] = names[:used]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _guess(
    products: Floats, halves: Floats, ids: Ids, groups: Places, own: int, step: int, count: int,
    held: Floats, names: Ids,
) -> np.float32:  # fmt: skip
    """A value that somewhat more than `count` of the row are most likely below."""
    used = 0
    for at in range(0, len(ids), step):
        if groups[ids[at]] != own:
            held[used] = halves[at] - products[at]
            used += 1
    fair = count / step
    rank = int(fair + 2 * np.sqrt(fair) + 2)
    if rank >= used:
        return np.float32(np.inf)
    _smallest_first(held, names, used, rank)
    return np.float32(held[:rank].max())


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _smallest_first(held: Floats, names: Ids, used: int, count: int) -> None:
    """Bring the `count` smallest of the first `used` to the front (Hoare 1961)."""
    low, high = 0, used - 1
    while low < high:
        pivot = held[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while held[left] < pivot:
                left += 1
            while held[right] > pivot:
                right -= 1
            if left <= right:
                held[left], held[right] = held[right], held[left]
                names[left], names[right] = names[right], names[left]
                left += 1
                right -= 1
        if count - 1 <= right:
            high = right
        elif count - 1 >= left:
            low = left
        else:
            break
