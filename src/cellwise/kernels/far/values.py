"""Cells so far off, in one number or in most, that all others are nearly one value beside them."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# A cell is far off that is so many times as far from the median as half of those that differ from
# it; it is left out where at most this share of the cells are, and hold nearly all squares.
_FAR, _FEW, _NEARLY_ALL = 1e3, 0.1, 0.99
# A cell failed as a whole where this share of its numbers lie so many times as far off: on worlds
# and real plates no cell has more than a twentieth of such numbers. Few numbers do not tell.
_OFF, _MANY, _FEWEST_NUMBERS = 30.0, 0.25, 16
# Cells that medians are taken of.
_SAMPLE = 100
# Cells at a time, so that double precision never holds all of them.
_CHUNK = 16_384


def without_far(vectors: Floats, columns: Places, mean: Doubles, scale: Doubles) -> Places:
    """Mean and deviation, in place, of the cells that are not far off; where that changed them.

    A measurement that failed in one cell leaves the others their deviation, and so does a cell that
    failed as a whole. Where no cell is far off, and that is the rule, both stay what they are, to
    the last bit.

    Args:
        vectors: `[cell, number]`, NaN where a number is missing.
        columns: `[column]`, of which numbers.
        mean: `[column]`, their means.
        scale: `[column]`, their deviations.
    """
    sample = vectors[:: -(-len(vectors) // _SAMPLE) or 1][:, columns].astype(np.float64)
    middle = _median(sample)
    apart = np.abs(sample - middle)
    usual = _median(np.where(apart > 0, apart, np.nan))
    if not len(vectors):
        return np.zeros(0, np.int64)
    low, high = np.fmin.reduce(vectors, axis=0)[columns], np.fmax.reduce(vectors, axis=0)[columns]
    farthest = np.fmax(high - middle, middle - low)
    if (farthest > _OFF * usual).mean() >= _MANY and len(columns) >= _FEWEST_NUMBERS:
        failed = _failed(vectors, columns, middle, _OFF * usual)
        if 0 < failed.mean() <= _FEW:
            without_far(
                vectors[~failed], columns, *_moments(vectors, ~failed, columns, mean, scale)
            )
            return np.arange(len(columns))
    limit = _FAR * usual
    changed = []
    for number in np.flatnonzero(farthest > limit).tolist():
        values = vectors[:, columns[number]].astype(np.float64)
        values = values[~np.isnan(values)]
        away = np.abs(values - middle[number])
        near = away <= limit[number]
        held = np.square(away[near]).sum() / np.square(away).sum()
        if near.mean() >= 1 - _FEW and held < 1 - _NEARLY_ALL:
            mean[number], scale[number] = values[near].mean(), values[near].std()
            changed.append(number)
    return np.array(changed, np.int64)


def _failed(vectors: Floats, columns: Places, middle: Doubles, limit: Doubles) -> Flags:
    """`[cell]`: whether many of the numbers that it has are farther from the middle than usual."""
    parts = []
    for some in chunks(vectors):
        chosen = some[:, columns]
        known = np.maximum((~np.isnan(chosen)).sum(1), 1)
        parts.append((np.abs(chosen - middle) > limit).sum(1) >= _MANY * known)
    return np.concatenate(parts)


def _moments(
    vectors: Floats, kept: Flags, columns: Places, mean: Doubles, scale: Doubles
) -> tuple[Doubles, Doubles]:
    """Mean and deviation, in place, of the cells that are kept; as they were where none has any."""
    for number, column in enumerate(columns.tolist()):
        values = vectors[kept, column].astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values):
            mean[number], scale[number] = values.mean(), values.std()
    return mean, scale


def _median(values: Doubles) -> Doubles:
    """Of each column; NaN where all of it is missing."""
    known = ~np.isnan(values).all(axis=0)
    found = np.full(values.shape[1], np.nan)
    if known.any():
        found[known] = np.nanmedian(values[:, known], axis=0)
    return found


def chunks(vectors: Floats) -> Iterator[Floats]:
    """So many cells at a time."""
    for begin in range(0, len(vectors), _CHUNK):
        yield vectors[begin : begin + _CHUNK]
