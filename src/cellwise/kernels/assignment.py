"""One treatment for each well and one well for each treatment: what a plate's design allows.

Where a plate holds each of its treatments once, answers exclude each other. All functions take the
scores of one plate, `[well, class]`; wells may be fewer than classes (some are missing) or more. An
answer of -1 means that no allowed class was left.

Sources: the greedy rule and the linear assignment are those of the RxRx1 challenge's teams; the
assignment is Kuhn 1955 as scipy has it; balancing is Sinkhorn and Knopp 1967 (Pacific J. Math. 21).
"""

import numba
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Floats = npt.NDArray[np.floating]
Answers = npt.NDArray[np.int64]

# What a forbidden pair costs, in units of the range of what is allowed: never chosen for a gain.
_FORBIDDEN = 2.0
_TINY = 1e-300


def best(scores: Floats) -> Answers:
    """`[well]`, the class of the largest score of each well, the first of equal ones."""
    found = np.asarray(scores.argmax(axis=1), np.int64)
    found[~np.isfinite(scores.max(axis=1))] = -1
    return found


def greedy(scores: Floats) -> Answers:
    """`[well]`: pairs are taken from the largest score down while both are free.

    Of equal scores the first well and class go first; `-inf` is never taken.
    """
    flat = scores.ravel()
    order = np.argsort(-flat, kind="stable")
    order = order[: int(np.isfinite(flat[order]).sum())]
    return np.asarray(_take(order, scores.shape[0], scores.shape[1]))


@numba.njit(cache=True, nogil=True)
def _take(order, wells, classes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    answer = np.full(wells, -1, np.int64)
    taken = np.zeros(classes, np.bool_)
    left = min(wells, classes)
    for place in order:
        well, kind = place // classes, place % classes
        if answer[well] < 0 and not taken[kind]:
            answer[well] = kind
            taken[kind] = True
            left -= 1
            if left == 0:
                break
    return answer


def optimal(scores: Floats) -> Answers:
    """`[well]`: the one-to-one choice with the largest sum of scores.

    As many wells as can be get an allowed class; `-inf` is never taken.
    """
    allowed = np.isfinite(scores)
    if not allowed.any():
        return np.full(len(scores), -1, np.int64)
    values = np.asarray(scores, np.float64)
    low, high = values[allowed].min(), values[allowed].max()
    # One forbidden pair costs more than all that the other wells could gain by it.
    penalty = _FORBIDDEN * (high - low + 1) * min(scores.shape)
    well, kind = linear_sum_assignment(np.where(allowed, values, low - penalty), maximize=True)
    answer = np.full(len(scores), -1, np.int64)
    kept = allowed[well, kind]
    answer[well[kept]] = kind[kept]
    return answer


def balanced(scores: Floats, *, temperature: float = 1.0, rounds: int = 50) -> Floats:
    """Probabilities `[well, class]` whose rows sum to 1 and whose columns are used alike.

    Columns sum to 1 where there are as many wells as allowed classes, else to their ratio: a
    missing well takes its share from all classes. Forbidden pairs (`-inf`) stay 0, and so does a
    row or column without any allowed pair.

    Args:
        scores: Logits.
        temperature: Above 0; logits are divided by it first. Below 1 sharpens.
        rounds: Times that columns and rows are scaled; rows last.
    """
    if not temperature > 0:
        raise ValueError(f"A temperature is above 0, not {temperature}.")
    scaled = np.asarray(scores, np.float64) / temperature
    top = scaled.max(axis=1, keepdims=True)
    weight = np.exp(scaled - np.where(np.isfinite(top), top, 0.0))
    rows, columns = weight.any(axis=1), weight.any(axis=0)
    share = int(rows.sum()) / max(int(columns.sum()), 1)
    right = columns.astype(np.float64)
    left: npt.NDArray[np.float64] = rows / np.maximum(weight @ right, _TINY)
    for _ in range(rounds):
        right = columns * share / np.maximum(left @ weight, _TINY)
        left = rows / np.maximum(weight @ right, _TINY)
    return np.asarray(weight * np.expand_dims(left, 1) * right)
