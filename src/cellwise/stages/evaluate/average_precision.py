"""Macro average precision with group-bootstrap intervals, per class and over classes.

Average precision is `sum over distinct scores (R_k - R_{k-1}) P_k`, equal scores taken together, as
in scikit-learn. Classes with too few positives or groups are listed apart and are not in the macro
mean. Source: Everingham et al. 2010 (VOC) without interpolation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.stages.evaluate._bootstrap import (
    Floats,
    Groups,
    interval,
    row_means,
    weight_chunks,
)


@dataclass(frozen=True, slots=True)
class ClassPrecision:
    """One class: average precision with interval, its positives, and in how many groups they lie.

    `apart` says why the class is not in the macro mean; empty where it is.
    """

    name: str
    value: float
    low: float
    high: float
    positives: int
    groups: int
    apart: str


@dataclass(frozen=True, slots=True)
class MacroPrecision:
    """Means over classes with intervals, with and without the negative class; NaN for no class."""

    value: float
    low: float
    high: float
    positive_value: float
    positive_low: float
    positive_high: float
    n: int
    classes: tuple[ClassPrecision, ...]


Evaluator = Callable[..., MacroPrecision]


def build(draws: int = 500, min_positives: int = 3, min_groups: int = 2) -> Evaluator:
    """Make `(truth, scores, *, names, negative, groups, seed) -> MacroPrecision`.

    Args:
        draws: Bootstrap draws.
        min_positives: A class with fewer positives (or no item without it) is listed apart.
        min_groups: So is one whose positives lie in fewer groups.
    """
    if draws < 1 or min_positives < 1 or min_groups < 1:
        raise BadOption("evaluate average_precision: all options are at least 1.")

    def evaluate(
        truth: npt.NDArray[np.bool_],
        scores: Floats,
        *,
        names: Sequence[str],
        negative: str | None,
        groups: Groups,
        seed: int,
    ) -> MacroPrecision:
        """`truth` and `scores` are `[item, class]`, `groups` `[item]` numbers from 0."""
        drawn = _drawn(truth, scores, groups, draws=draws, seed=seed)
        rows = []
        for c, name in enumerate(names):
            held = len(np.unique(groups[truth[:, c]]))
            few = _apart(truth[:, c], held, min_positives, min_groups)
            value = average_precision(truth[:, c], scores[:, c])
            low, high = interval(drawn[:, c])
            count = int(truth[:, c].sum())
            rows.append(ClassPrecision(name, value, low, high, count, held, few))
        return _macro(rows, drawn, negative, len(truth))

    return evaluate


def average_precision(
    truth: npt.NDArray[np.bool_], scores: Floats, *, weights: Floats | None = None
) -> float:
    """Average precision of one class; NaN without positives.

    Args:
        truth: `[item]`.
        scores: `[item]`, higher means more likely.
        weights: `[item]`, 1 if not given.
    """
    given = np.ones(len(truth)) if weights is None else weights
    return float(_weighted(truth, scores, given[None, :])[0])


def _weighted(truth: npt.NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """`[draw]` average precision under `[draw, item]` weights."""
    if not len(truth) or not truth.any():
        return np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    weights = weights[:, order]
    seen = np.cumsum(weights, axis=1)[:, ends]
    hits = np.cumsum(weights * truth[order], axis=1)[:, ends]
    precision = hits / np.where(seen > 0, seen, 1)
    total = hits[:, -1]
    gained = np.diff(hits, axis=1, prepend=0.0)
    area = (gained * precision).sum(axis=1)
    found: Floats = np.where(total > 0, area / np.where(total > 0, total, 1), np.nan)
    return found


def _drawn(
    truth: npt.NDArray[np.bool_], scores: Floats, groups: Groups, *, draws: int, seed: int
) -> Floats:
    """`[draw, class]`; all classes see the same draws."""
    chunks = [
        np.stack([_weighted(truth[:, c], scores[:, c], w) for c in range(truth.shape[1])], axis=1)
        for w in weight_chunks(groups, draws=draws, seed=seed)
    ]
    return np.concatenate(chunks) if truth.shape[1] else np.zeros((draws, 0))


def _apart(truth: npt.NDArray[np.bool_], held: int, positives: int, groups: int) -> str:
    count = int(truth.sum())
    if count < positives:
        return f"only {count} positives"
    if count == len(truth):
        return "every item carries it"
    return f"positives in {held} group only" if held < groups else ""


def _macro(
    rows: list[ClassPrecision], drawn: Floats, negative: str | None, n: int
) -> MacroPrecision:
    every = [c for c, row in enumerate(rows) if not row.apart]
    positive = [c for c in every if rows[c].name != negative]
    return MacroPrecision(*_mean(rows, drawn, every), *_mean(rows, drawn, positive), n, tuple(rows))


def _mean(
    rows: list[ClassPrecision], drawn: Floats, chosen: list[int]
) -> tuple[float, float, float]:
    if not chosen:
        return float("nan"), float("nan"), float("nan")
    value = float(np.mean([rows[c].value for c in chosen]))
    return value, *interval(row_means(drawn[:, chosen]))
