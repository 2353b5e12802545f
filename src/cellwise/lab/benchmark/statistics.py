"""What may be said of a difference: interval, p-value, Holm's correction, and the gap closed.

Sources: percentile bootstrap, Davison and Hinkley 1997; Holm 1979 (Scand. J. Statist. 6:65);
Student 1908 (Biometrika 6:1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from cellwise.measures.average_precision import Floats
from cellwise.measures.intervals import LEVEL, interval

SMALLEST_GAP = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: its accuracy, and its accuracy in each bootstrap draw."""

    value: float
    drawn: Floats


def estimate(value: float, drawn: Floats) -> Estimate:
    """Percentile interval; NaN where fewer than half of the draws are defined."""
    return Estimate(value, *interval(drawn))


def accuracy(arm: Arm) -> Estimate:
    """The arm's own accuracy."""
    return estimate(arm.value, arm.drawn)


def difference(arm: Arm, base: Arm) -> Estimate:
    """The paired difference: both arms in the same draws."""
    return estimate(arm.value - base.value, arm.drawn - base.drawn)


def over_worlds(values: Floats, *, clusters: int) -> Estimate:
    """Mean of one figure per world with Student's interval over worlds; NaN without a figure.

    A bootstrap over few worlds is too narrow: of three worlds it covers about three quarters of the
    time. The interval of t is not, if worlds differ about normally.

    Args:
        values: `[world]`, such as the paired difference of two rows in each world; NaN is left out.
        clusters: How many independent worlds there are: 1 where all hold the same plates in other
            bags. Below 2 there is no interval.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(math.nan, math.nan, math.nan)
    value, count = float(known.mean()), min(len(known), clusters)
    if count < 2:
        return Estimate(value, math.nan, math.nan)
    reach = student.ppf(0.5 + LEVEL / 2, count - 1) * known.std(ddof=1) / np.sqrt(count)
    return Estimate(value, value - float(reach), value + float(reach))


def p_value(drawn: Floats) -> float:
    """Two-sided p-value of a difference being 0: twice the share of draws on the rarer side.

    One draw is added to each side, so that it is never 0; arms that are the same have 1.
    """
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return float("nan")
    rarer = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2.0 * (1 + rarer) / (len(known) + 1))


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; NaN stays NaN and is no test."""
    adjusted = [float("nan")] * len(values)
    order = sorted((v, i) for i, v in enumerate(values) if np.isfinite(v))
    highest = 0.0
    for place, (value, i) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - place) * value))
        adjusted[i] = highest
    return adjusted


def sign(found: Estimate, adjusted: float) -> str:
    """`better`, `worse`, or `open` where the interval, after Holm, does not exclude 0."""
    settled = np.isfinite(adjusted) and adjusted < 1 - LEVEL and found.low * found.high > 0
    if not settled:
        return "open"
    return "better" if found.value > 0 else "worse"


def gap(floor: Arm, ceiling: Arm) -> Estimate:
    """The accuracy that true labels add: that of the ceiling minus that of the floor."""
    return difference(ceiling, floor)


def gap_closed(arm: Arm, floor: Arm, ceiling: Arm) -> Estimate | None:
    """The share of the gap that the arm closes; None where the gap is too small to ask.

    Numerator and denominator come from the same draws. A gap is too small where the lower bound of
    its interval is below 0.05.
    """
    known = gap(floor, ceiling)
    if not known.low >= SMALLEST_GAP:
        return None
    below = ceiling.drawn - floor.drawn
    share = np.full(len(below), np.nan)
    np.divide(arm.drawn - floor.drawn, below, out=share, where=below > 0)
    return estimate((arm.value - floor.value) / known.value, share)
