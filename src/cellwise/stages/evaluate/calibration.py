"""How far stated probabilities are from what happens: calibration error and Brier score.

The expected calibration error takes all classes together in bins of equal width: `sum over bins
(n_b / n) |mean probability - share of positives|` (Guo et al. 2017). The Brier score is the mean
squared distance of probability and truth (Brier 1950).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.stages.evaluate._bootstrap import Floats, Groups, group_draws, interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """Error and Brier score with intervals, and the curve behind them.

    `curve` holds per filled bin: mean probability, share of positives, number of statements.
    """

    ece: float
    ece_low: float
    ece_high: float
    brier: float
    brier_low: float
    brier_high: float
    n: int
    curve: tuple[tuple[float, float, int], ...]


Evaluator = Callable[..., Calibration]


def build(bins: int = 10, draws: int = 500) -> Evaluator:
    """Make `(truth, chance, *, groups, seed) -> Calibration`; NaN figures for no item.

    Args:
        bins: Bins of equal width over 0..1.
        draws: Bootstrap draws of whole groups.
    """
    if bins < 1 or draws < 1:
        raise BadOption("evaluate calibration: bins and draws are at least 1.")

    def evaluate(
        truth: npt.NDArray[np.bool_], chance: Floats, *, groups: Groups, seed: int
    ) -> Calibration:
        """`truth` and `chance` are `[item, class]`, `groups` `[item]` numbers from 0."""
        if not truth.size:
            return Calibration(*(float("nan"),) * 6, n=0, curve=())
        count = int(groups.max()) + 1
        # Everything is a sum over groups, so a draw is one product with these tables.
        tables = _tables(truth, chance, groups, (count, bins))
        drawn = group_draws(count, draws=draws, seed=seed).astype(np.float64)
        eces, briers = _figures(drawn, *tables)
        ece, brier = _figures(np.ones((1, count)), *tables)
        n, p, y, _ = (table.sum(axis=0) for table in tables)
        filled = np.flatnonzero(n)
        curve = tuple((float(p[b] / n[b]), float(y[b] / n[b]), int(n[b])) for b in filled)
        return Calibration(
            float(ece[0]), *interval(eces), float(brier[0]), *interval(briers), len(truth), curve
        )

    return evaluate


def _tables(
    truth: npt.NDArray[np.bool_], chance: Floats, groups: Groups, shape: tuple[int, int]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Per group and bin: statements, summed probability, positives, squared distance."""
    bin_of = np.minimum((chance * shape[1]).astype(np.int64), shape[1] - 1)
    place = (groups[:, None] * shape[1] + bin_of).reshape(-1)
    values = (np.ones_like(chance), chance, truth.astype(np.float64), (chance - truth) ** 2)
    size = shape[0] * shape[1]
    summed = [
        np.bincount(place, weights=value.reshape(-1), minlength=size).astype(float).reshape(shape)
        for value in values
    ]
    return summed[0], summed[1], summed[2], summed[3]


def _figures(
    weights: Floats, n: Floats, p: Floats, y: Floats, squares: Floats
) -> tuple[Floats, Floats]:
    total = (weights @ n).sum(axis=1)
    safe = np.where(total > 0, total, np.nan)
    return np.abs(weights @ p - weights @ y).sum(axis=1) / safe, (weights @ squares).sum(
        axis=1
    ) / safe
