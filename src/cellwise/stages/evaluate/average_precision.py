"""Macro average precision with group-bootstrap intervals, per class and over classes.

Classes with too few positives or groups are listed apart and are not in the macro
mean. Source: Everingham et al. 2010 (VOC) without interpolation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import counted
from cellwise.errors import BadOption
from cellwise.measures.average_precision import average_precision, weighted_precision
from cellwise.measures.bootstrap import Floats, Groups, row_means, weight_chunks
from cellwise.measures.intervals import interval


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
        rows: list[ClassPrecision] = []
        units = np.zeros(len(names), np.int64)
        for c, name in enumerate(names):
            held = len(np.unique(groups[truth[:, c]]))
            few = _apart(truth[:, c], held, min_positives, min_groups)
            value = average_precision(truth[:, c], scores[:, c])
            units[c] = min(held, len(np.unique(groups[~truth[:, c]])))
            low, high = interval(drawn[:, c], units=int(units[c]))
            count = int(truth[:, c].sum())
            rows.append(ClassPrecision(name, value, low, high, count, held, few))
        return _macro(rows, drawn, units, negative, len(truth))

    return evaluate


def _drawn(
    truth: npt.NDArray[np.bool_], scores: Floats, groups: Groups, *, draws: int, seed: int
) -> Floats:
    """`[draw, class]`; all classes see the same draws."""
    chunks = [
        np.stack(
            [weighted_precision(truth[:, c], scores[:, c], w) for c in range(truth.shape[1])],
            axis=1,
        )
        for w in weight_chunks(groups, draws=draws, seed=seed)
    ]
    return np.concatenate(chunks) if truth.shape[1] else np.zeros((draws, 0))


def _apart(truth: npt.NDArray[np.bool_], held: int, positives: int, groups: int) -> str:
    count = int(truth.sum())
    if count < positives:
        return f"only {counted(count, 'positives')}"
    if count == len(truth):
        return "every item carries it"
    return f"positives in {held} group only" if held < groups else ""


def _macro(
    rows: list[ClassPrecision], drawn: Floats, units: Groups, negative: str | None, n: int
) -> MacroPrecision:
    every = [c for c, row in enumerate(rows) if not row.apart]
    positive = [c for c in every if rows[c].name != negative]
    means = (*_mean(rows, drawn, units, every), *_mean(rows, drawn, units, positive))
    return MacroPrecision(*means, n, tuple(rows))


def _mean(
    rows: list[ClassPrecision], drawn: Floats, units: Groups, chosen: list[int]
) -> tuple[float, float, float]:
    if not chosen:
        return float("nan"), float("nan"), float("nan")
    value = float(np.mean([rows[c].value for c in chosen]))
    least = int(units[chosen].min())
    return value, *interval(row_means(drawn[:, chosen]), units=least)
