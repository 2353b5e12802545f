"""How far stated probabilities are from what happens: calibration error and Brier score.

Source: Guo et al. 2017 and Brier 1950; see `measures.calibration`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats, Groups, group_draws
from cellwise.measures.calibration import Curve, curve, errors, sums_by_bin
from cellwise.measures.intervals import interval


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
    curve: Curve


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
        tables = sums_by_bin(truth, chance, groups, (count, bins))
        drawn = group_draws(count, draws=draws, seed=seed).astype(np.float64)
        eces, briers = errors(drawn, *tables)
        ece, brier = errors(np.ones((1, count)), *tables)
        shown = curve(*tables[:3])
        return Calibration(
            float(ece[0]), *interval(eces), float(brier[0]), *interval(briers), len(truth), shown
        )

    return evaluate
