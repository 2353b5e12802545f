"""Fields that hold the same cells: a copy that was moved, turned or cut shows them elsewhere."""

import numpy as np
import numpy.typing as npt

from cellwise.kernels.graphs.neighbours import in_lists, nearest
from cellwise.kernels.graphs.standard import standard_scores
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.joined import open_embeddings

# A likeness is so much nearer than the nearest cell of another field is to most cells.
_NEARER = 0.45
# Of the cells of the field that has fewer, and in number.
_LEAST_SHARE, _LEAST_CELLS = 0.5, 3


def same_cells(
    run: RunFolder, name: str, ids: list[str], series: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """`[site]`: the first site that holds the same cells; its own number where none does.

    Args:
        run: The run folder.
        name: The embed step whose vectors are compared, numbers as many deviations from the mean.
        ids: The sites, in order.
        series: Sites of one number are times of one field; -1 for none.
    """
    count = len(ids)
    first = np.arange(count)
    kept = open_embeddings(run, name)
    place = {site: number for number, site in enumerate(ids)}
    of_row = np.array([place.get(site, -1) for site in kept.index["site_id"]], np.int64)
    there = np.flatnonzero(of_row >= 0)
    vectors = np.asarray(kept.read(there), np.float32)
    seen = np.isfinite(vectors).any(axis=1)
    vectors, site = standard_scores(vectors[seen]), of_row[there][seen]
    if len(np.unique(site)) < 2 or not vectors.shape[1]:
        return first
    # Times of one field hold the same cells: they count as one field here.
    apart = np.where(series[site] >= 0, count + series[site], site)
    lists = in_lists(vectors)
    points, at = vectors[lists.order], site[lists.order]
    other = nearest(points, 1, lists, apart[lists.order])[:, 0]
    found = other >= 0
    away = np.full(len(points), np.inf)
    away[found] = np.linalg.norm(points[found] - points[other[found]], axis=1)
    likeness = found & (away <= _NEARER * np.median(away[found]))
    return _joined(first, at, other, likeness, np.bincount(site, minlength=count))


def _joined(
    first: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    other: npt.NDArray[np.int32],
    likeness: npt.NDArray[np.bool_],
    cells: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Join each field with the one that holds most of its likenesses, where most cells have one."""
    has = np.bincount(at[likeness], minlength=len(first))
    pairs = np.stack([at[likeness], at[other[likeness]]], axis=1)
    both, shared = np.unique(pairs, axis=0, return_counts=True)
    for place in np.argsort(-shared, kind="stable").tolist():
        a, b = both[place].tolist()
        fewer = a if cells[a] <= cells[b] else b
        if (
            has[fewer] < max(_LEAST_CELLS, _LEAST_SHARE * cells[fewer])
            or shared[place] < _LEAST_CELLS
        ):
            continue
        low, high = sorted((_root(first, a), _root(first, b)))
        first[high] = low
    return np.array([_root(first, k) for k in range(len(first))])


def _root(first: npt.NDArray[np.int64], site: int) -> int:
    while first[site] != site:
        site = int(first[site])
    return site
