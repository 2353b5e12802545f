"""Replicate retrieval: does a well's nearest neighbour in other plates show the same treatment?

Every well asks all the others, ranked by the cosine of their vectors. Others on its own plate or
at its own position on another plate are left out, whatever they show: what they share may be the
place. The average precision of a query is

    sum over distinct similarities s of its replicates: (hits(s) - hits(above s)) hits(s) / seen(s)

over its number of replicates, where `seen(s)` counts all that are asked with a similarity of s or
more, `hits(s)` the replicates among them: equal similarities are taken together.

Source: Kalinin et al. 2025 (Nature Communications 16:5181), whose package copairs this agrees with
where no similarities are equal.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What each well finds.

    Args:
        precision: `[well]` average precision; NaN where a well has no replicate to be found.
        chance: `[well]` what a random order gives on average; NaN likewise.
        replicates: `[well]`, those that could be found.
    """

    precision: Floats
    chance: Floats
    replicates: Numbers

    def mean(self, treatment: Numbers) -> tuple[Numbers, Floats, Floats]:
        """Treatments with a defined well, and the mean precision and chance of each."""
        known = np.isfinite(self.precision)
        kinds, place = np.unique(treatment[known], return_inverse=True)
        n = np.bincount(place, minlength=len(kinds))
        means = [
            np.bincount(place, weights=values[known], minlength=len(kinds)) / np.maximum(n, 1)
            for values in (self.precision, self.chance)
        ]
        return kinds, means[0], means[1]


def retrieve(
    vectors: npt.NDArray[np.floating],
    treatment: Numbers,
    plate: Numbers,
    position: Numbers,
    within: Numbers | None = None,
) -> Retrieval:
    """Average precision of every well that has a treatment.

    Args:
        vectors: `[well, number]`, finite. A well of zeros is as near to all.
        treatment: `[well]`; -1 for none: such a well asks nothing and is nobody's replicate.
        plate: `[well]`, numbers.
        position: `[well]`, the same number at the same place of any plate; -1 where unknown.
        within: `[well]`, such as the cell type: only wells of the same number are asked.
    """
    count = len(vectors)
    block = np.zeros(count, np.int64) if within is None else within
    precision, chance = np.full(count, np.nan), np.full(count, np.nan)
    replicates = np.zeros(count, np.int64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = (vectors / np.where(length > 0, length, 1)).astype(np.float32)
    for number in np.unique(block):
        rows = np.flatnonzero(block == number)
        inside = units[rows]
        facts = [np.ascontiguousarray(v[rows]) for v in (treatment, plate, position)]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            end = min(start + _ROWS_AT_ONCE, len(rows))
            near = inside[start:end] @ inside.T
            found = _precisions(near, start, *facts)
            some = rows[start:end]
            precision[some], replicates[some] = found[0], found[1]
            chance[some] = _by_chance(found[1], found[2])
    return Retrieval(precision, chance, replicates)


def _by_chance(positives: Numbers, asked: Numbers) -> Floats:
    """Expected average precision of a random order of `asked` with `positives` among them."""
    most = int(asked.max(initial=0))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, most + 1))])
    n = np.maximum(asked, 1)
    slope = (positives - 1) / np.maximum(asked - 1, 1)
    found = slope + (1 - slope) * harmonic[asked] / n
    return np.where(positives > 0, found, np.nan)


@numba.njit(cache=True, nogil=True)
def _precisions(near, start, treatment, plate, position):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    rows, count = near.shape
    precision = np.full(rows, np.nan)
    positives = np.zeros(rows, np.int64)
    asked = np.zeros(rows, np.int64)
    for row in range(rows):
        query = start + row
        own, here, spot = treatment[query], plate[query], position[query]
        if own < 0:
            continue
        held = 0
        for other in range(count):
            if (
                treatment[other] == own
                and plate[other] != here
                and (spot < 0 or position[other] != spot)
            ):
                held += 1
        positives[row] = held
        values = np.empty(held, np.float32)
        held = 0
        for other in range(count):
            if (
                treatment[other] == own
                and plate[other] != here
                and (spot < 0 or position[other] != spot)
            ):
                values[held] = near[row, other]
                held += 1
        values.sort()
        # slot[k]: what lies at or above the k-th smallest replicate and below the next one.
        slot = np.zeros(held + 1, np.int64)
        for other in range(count):
            if plate[other] == here or (spot >= 0 and position[other] == spot):
                continue
            asked[row] += 1
            value = near[row, other]
            low, high = 0, held
            while low < high:
                middle = (low + high) // 2
                if values[middle] <= value:
                    low = middle + 1
                else:
                    high = middle
            slot[low] += 1
        if held == 0:
            continue
        seen, area, k = 0, 0.0, held
        while k > 0:
            seen += slot[k]
            first = k
            while first > 1 and values[first - 2] == values[k - 1]:
                first -= 1
                seen += slot[first]
            hits = held - first + 1
            area += (k - first + 1) * hits / seen
            k = first - 1
        precision[row] = area / held
    return precision, positives, asked
