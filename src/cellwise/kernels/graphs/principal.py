"""Vectors as points of few numbers whose distances are nearly those of the vectors.

Source: principal components by subspace iteration (Halko, Martinsson and Tropp 2011), learned from
at most 20,000 of the vectors.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cellwise.kernels.far.values import without_far

Floats = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]

_SAMPLE = 20_000
_BLOCK = 4096
_MORE = 10
_PASSES = 2
# Spread of a number, as a share of its size, that is mere rounding of single precision.
_ROUNDING = 1e-5
# Of a number whose far cells had no part in its spread: how many of these they may lie off.
_FARTHEST = 10


def principal(
    vectors: Floats, numbers: int, *, scale: bool, blocks: Sequence[int] = (), seed: int = 0
) -> Floats:
    """`[point, number]`: at most `numbers` principal components of the vectors.

    A number that is missing (NaN) stands for the mean of it; numbers that are the same in all
    vectors tell nothing and are left out. What is thousands of times farther off than others counts
    as ten deviations off.

    Args:
        vectors: `[point, number]`; each has a number that is not missing.
        numbers: At least 1.
        scale: Whether each number is divided by its deviation, for numbers of many units.
        blocks: Of how many numbers each part of the vectors consists: each part then counts as much
            as any other. Empty where they are one.
        seed: Of which vectors are learned from, where they are more than 20,000.

    Raises:
        ValueError: All vectors are the same.
    """
    mean, spread = _moments(vectors)
    far = without_far(vectors, np.arange(vectors.shape[1]), mean, spread)
    telling = np.flatnonzero(spread > _ROUNDING * np.maximum(np.abs(mean), 1e-30))
    if not len(telling):
        raise ValueError("All vectors are the same.")
    weights = _weights(blocks, vectors.shape[1])[telling]
    factor = (weights / spread[telling] if scale else weights).astype(np.float32)
    middle = mean.astype(np.float32)[telling]
    every = len(telling) == vectors.shape[1]
    lacking = bool(np.isnan(vectors.sum(dtype=np.float64)))
    limit = np.full(vectors.shape[1], np.inf, np.float32)
    limit[far] = _FARTHEST * spread[far]
    limit = limit[telling]

    def ready(rows: npt.NDArray[np.int64] | slice) -> Floats:
        some = vectors[rows] if every else vectors[rows][:, telling]
        some = some - middle
        if len(far):
            np.clip(some, -limit, limit, out=some)
        some *= factor
        if lacking:
            some[np.isnan(some)] = 0
        return some

    if len(telling) <= numbers:
        return np.concatenate([ready(rows) for rows in _blocks(len(vectors))])
    random = np.random.default_rng(seed)
    turn: Floats = random.normal(size=(len(telling), min(numbers + _MORE, len(telling)))).astype(
        np.float32
    )
    all_seen = len(vectors) <= _SAMPLE
    chosen = np.sort(random.permutation(len(vectors))[:_SAMPLE])
    sample = ready(slice(None) if all_seen else chosen)
    for _ in range(_PASSES - 1):
        turn = np.linalg.qr(sample.T @ (sample @ turn))[0].astype(np.float32)
    seen = sample @ turn
    _, inner = np.linalg.eigh(seen.T.astype(np.float64) @ seen)
    inner = inner[:, ::-1][:, :numbers].astype(np.float32)
    if all_seen:
        points: Floats = seen @ inner
        return points
    turn = turn @ inner
    result = np.empty((len(vectors), numbers), np.float32)
    for rows in _blocks(len(vectors)):
        result[rows] = ready(rows) @ turn
    return result


def _weights(blocks: Sequence[int], numbers: int) -> Floats64:
    """`[number]`: the root of each part's share, as if it had one number."""
    if len(blocks) < 2:
        return np.ones(numbers)
    return np.repeat(1 / np.sqrt(np.array(blocks)), blocks)


def _blocks(count: int) -> list[slice]:
    return [slice(begin, begin + _BLOCK) for begin in range(0, count, _BLOCK)]


def _moments(vectors: Floats) -> tuple[Floats64, Floats64]:
    """Mean and deviation of each number, over the vectors that have it."""
    length = vectors.shape[1]
    known, total, squares = np.zeros(length), np.zeros(length), np.zeros(length)
    # Around the first vector, so that large numbers of little spread keep their digits.
    first = np.nan_to_num(vectors[0], nan=0.0)
    for rows in _blocks(len(vectors)):
        some = vectors[rows] - first
        lacking = np.isnan(some)
        known += len(some) - lacking.sum(axis=0)
        some[lacking] = 0
        total += some.sum(axis=0, dtype=np.float64)
        squares += np.einsum("ij,ij->j", some, some, dtype=np.float64)
    mean = total / np.maximum(known, 1)
    return mean + first, np.sqrt(np.maximum(squares / np.maximum(known, 1) - mean**2, 0))
