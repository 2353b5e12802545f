"""Whether new cells are of the kind that was learned from, by vectors of numbers; slow to deny it.

Two things are asked of the cells of some fields, and both must be beyond what as many fields by
chance of the learned ones show. How many cells lie far from every learned one: farther than nine
of ten learned cells lie from the nearest of another group. And how many of the numbers are shifted:
their median lies outside of what eight of ten learned cells have. Distances alone are larger for
rare kinds of cells, and numbers alone shift with the light of a plate.

Source: distance to the nearest training example as a test of novelty (Sun et al. 2022, ICML, on
embeddings of networks). Limits were set on simulated fields, see `docs/reference/check.md`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.kernels.far.values import without_far

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_CLIP = 5.0
# Cells of either kind that are looked at, spread over all of them.
_MOST = 4096
_LEAST_CELLS, _LEAST_FIELDS, _LEAST_NEW = 50, 10, 20
_FAR_QUANTILE, _MIDDLE = 0.9, (0.1, 0.9)
# At least so many are far, and shifted, whatever fields by chance show.
_MOST_FAR, _MOST_SHIFTED = 0.5, 0.05
_BY_CHANCE, _DRAWS, _MOST_DRAWN = 0.99, 100, 30
# Spread of a number, as a share of its size, that is mere rounding of single precision.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Likeness:
    """How new cells differ from learned ones.

    Args:
        far: Share of the new cells that lie far from all learned ones, 0..1.
        shifted: Share of the numbers whose median is shifted, 0..1.
        far_by_chance: What 99 of 100 draws of as many learned fields do not exceed.
        shifted_by_chance: The same.
    """

    far: float
    shifted: float
    far_by_chance: float
    shifted_by_chance: float

    @property
    def unlike(self) -> bool:
        """Whether the new cells are of another kind, as far as this can tell."""
        far = self.far > max(_MOST_FAR, self.far_by_chance)
        return far and self.shifted > max(_MOST_SHIFTED, self.shifted_by_chance)


def likeness_of_cells(
    learned: Floats, group: Numbers, field: Numbers, new: Floats, new_field: Numbers
) -> Likeness | None:
    """Compare new cells with learned ones; None where too few are there to say anything.

    Args:
        learned: `[cell, number]`, NaN where a number is missing.
        group: `[cell]`, the group of the split that a learned cell belongs to.
        field: `[cell]`, its field; a group holds whole fields.
        new: `[new cell, number]`.
        new_field: `[new cell]`, its field.
    """
    rows, new_rows = _spread(len(learned)), _spread(len(new))
    learned, group, field = learned[rows], group[rows], field[rows]
    new, new_field = new[new_rows], new_field[new_rows]
    fields = np.unique(field)
    if min(len(fields), len(np.unique(group))) < _LEAST_FIELDS or len(learned) < _LEAST_CELLS:
        return None
    if len(new) < _LEAST_NEW:
        return None
    columns, mean, scale = _moments(learned)
    points = _standard(learned[:, columns], mean, scale)
    own = _nearest(points, points, group)
    limit = np.quantile(own, _FAR_QUANTILE)
    if not len(columns) or not np.isfinite(limit):
        return None
    away = _nearest(_standard(new[:, columns], mean, scale), points)
    low, high = np.nanquantile(learned[:, columns], _MIDDLE, axis=0)

    def shifted(cells: Floats) -> float:
        known = ~np.isnan(cells).all(0)
        middle = np.nanmedian(cells[:, known], axis=0)
        return float(((middle < low[known]) | (middle > high[known])).mean())

    random = np.random.default_rng(0)
    count = min(len(np.unique(new_field)), len(fields) // 2, _MOST_DRAWN)
    drawn = [np.isin(field, random.choice(fields, count, replace=False)) for _ in range(_DRAWS)]
    chance = [
        (float((own[some] > limit).mean()), shifted(learned[some][:, columns])) for some in drawn
    ]
    by_chance = np.quantile(chance, _BY_CHANCE, axis=0)
    return Likeness(
        float((away > limit).mean()),
        shifted(new[:, columns]),
        float(by_chance[0]),
        float(by_chance[1]),
    )


def _spread(count: int) -> Numbers:
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, _MOST)).astype(np.int64))


def _moments(vectors: Floats) -> tuple[Numbers, Floats, Floats]:
    """The numbers that differ between cells, their means and deviations."""
    known = ~np.isnan(vectors)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, vectors, 0).sum(0, dtype=np.float64) / count
    scale = np.sqrt(np.square(np.where(known, vectors - mean, 0)).sum(0) / count)
    every = np.arange(vectors.shape[1])
    without_far(vectors, every, mean, scale)
    columns = every[scale > _ROUNDING * np.abs(mean)]
    return columns, mean[columns].astype(np.float32), scale[columns].astype(np.float32)


def _standard(vectors: Floats, mean: Floats, scale: Floats) -> Floats:
    ready = np.clip((vectors.astype(np.float32) - mean) / scale, -_CLIP, _CLIP)
    found: Floats = np.nan_to_num(ready, nan=0.0)
    return found


def _nearest(points: Floats, others: Floats, group: Numbers | None = None) -> Floats:
    """`[point]`: the distance to the nearest of the others; of those of another group only."""
    squares = (
        np.square(points).sum(1)[:, None]
        + np.square(others).sum(1)[None]
        - 2 * np.matmul(points, others.T)
    )
    if group is not None:
        squares[group[:, None] == group[None]] = np.inf
    found: Floats = np.sqrt(np.maximum(squares.min(1), 0))
    return found
