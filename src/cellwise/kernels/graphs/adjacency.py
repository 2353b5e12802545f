"""An undirected graph without weights, and its products with functions of its nodes.

Two nodes are joined where either is a neighbour of the other. Products are sums over neighbours in
a fixed order, so that they are the same to the last digit whenever they are made.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Graph:
    """Who is joined with whom.

    Args:
        starts: `[node + 1]`, where each node's neighbours begin in `ends`.
        ends: The neighbours of node after node, ascending; each pair stands there twice.
    """

    starts: Places
    ends: Ids

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def degrees(self) -> Places:
        """`[node]`: how many neighbours it has."""
        return np.diff(self.starts)

    def sums(self, values: Floats) -> Floats:
        """`[node, function]`: the sum of the functions over the neighbours of each node."""
        result = np.empty(values.shape, np.float32)
        _sums(self.starts, self.ends, np.ascontiguousarray(values, np.float32), result)
        return result

    def means(
        self, values: Floats, before: Floats, share: float, own: float, former: float
    ) -> Floats:
        """`[node, function]`: `share` of the mean over neighbours + `own` values + `former` before.

        Args:
            values: `[node, function]`.
            before: `[node, function]`, added `former` times.
            share: Times the mean over the neighbours of a node, 0 where it has none.
            own: Times the values of the node itself.
            former: Times `before`.
        """
        result = np.empty(values.shape, np.float32)
        factors = (np.float32(share), np.float32(own), np.float32(former))
        _means(self.starts, self.ends, values, before, factors, result)
        return result

    def components(self) -> Places:
        """`[node]`: a number for the nodes that can be reached from it; 0 is the largest part."""
        matrix = csr_array(
            (np.ones(len(self.ends), np.int8), self.ends, self.starts), shape=(len(self),) * 2
        )
        count, part = connected_components(matrix, directed=False)
        rank = np.empty(count, np.int64)
        rank[np.argsort(-np.bincount(part, minlength=count), kind="stable")] = np.arange(count)
        result: Places = rank[part]
        return result

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Graph":
        """The graph of the chosen nodes alone, in their order."""
        new = np.cumsum(chosen, dtype=np.int64) - 1
        begin = np.repeat(np.arange(len(self)), self.degrees)
        kept = chosen[begin] & chosen[self.ends]
        starts = np.r_[0, np.cumsum(np.bincount(new[begin[kept]], minlength=int(chosen.sum())))]
        return Graph(starts, new[self.ends[kept]].astype(np.int32))


def join(neighbours: Ids) -> Graph:
    """The graph of nodes of which one at least names the other.

    Args:
        neighbours: `[node, neighbour]`, -1 for none.
    """
    count = len(neighbours)
    named = neighbours >= 0
    lengths = named.sum(axis=1)
    ends = neighbours[named]
    starts = np.r_[0, np.cumsum(lengths)].astype(np.int64)
    one_way = csr_array((np.ones(len(ends), np.int8), ends, starts), shape=(count, count))
    back = one_way.T.tocsr()
    one_way.sort_indices()
    total = np.zeros(count, np.int64)
    merged = np.empty(2 * len(ends), np.int32)
    used = _merge(
        one_way.indptr.astype(np.int64), one_way.indices.astype(np.int32),
        back.indptr.astype(np.int64), back.indices.astype(np.int32), merged, total,
    )  # fmt: skip
    return Graph(np.r_[0, np.cumsum(total)], merged[:used].copy())


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _merge(
    starts: Places, ends: Ids, back_starts: Places, back_ends: Ids, merged: Ids, total: Places
) -> int:
    """Union of two ascending lists of each node; returns how many ends there are."""
    used = 0
    for node in range(len(total)):
        a, a_stop = starts[node], starts[node + 1]
        b, b_stop = back_starts[node], back_starts[node + 1]
        begun = used
        while a < a_stop or b < b_stop:
            if b == b_stop or (a < a_stop and ends[a] < back_ends[b]):
                merged[used] = ends[a]
                a += 1
            elif a == a_stop or back_ends[b] < ends[a]:
                merged[used] = back_ends[b]
                b += 1
            else:
                merged[used] = ends[a]
                a += 1
                b += 1
            used += 1
        total[node] = used - begun
    return used


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sums(starts: Places, ends: Ids, values: Floats, result: Floats) -> None:
    for node in range(len(starts) - 1):
        result[node] = 0
        _add_neighbours(starts[node], starts[node + 1], ends, values, result[node])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _means(
    starts: Places, ends: Ids, values: Floats, before: Floats,
    factors: tuple[np.float32, np.float32, np.float32], result: Floats,
) -> None:  # fmt: skip
    share, own, former = factors
    for node in range(len(starts) - 1):
        total = result[node]
        total[:] = 0
        _add_neighbours(starts[node], starts[node + 1], ends, values, total)
        part = share / np.float32(max(starts[node + 1] - starts[node], 1))
        for number in range(values.shape[1]):
            kept = own * values[node, number] + former * before[node, number]
            total[number] = part * total[number] + kept


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_neighbours(at: int, stop: int, ends: Ids, values: Floats, total: Floats) -> None:
    """Add the rows `ends[at:stop]` of `values` to `total`."""
    width = values.shape[1]
    # Eight at a time: half of the time goes into taking up and laying down the sum.
    while at + 8 <= stop:
        a, b, c, d = ends[at], ends[at + 1], ends[at + 2], ends[at + 3]
        e, f, g, h = ends[at + 4], ends[at + 5], ends[at + 6], ends[at + 7]
        for number in range(width):
            four = (values[a, number] + values[b, number]) + (values[c, number] + values[d, number])
            more = (values[e, number] + values[f, number]) + (values[g, number] + values[h, number])
            total[number] += four + more
        at += 8
    for rest in range(at, stop):
        other = values[ends[rest]]
        for number in range(width):
            total[number] += other[number]
