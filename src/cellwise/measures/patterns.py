"""Which share of the cells of a field or other unit shows each pattern, and how cells differ.

The share of cells that a run claims to show a class is not the share that shows it: some are missed
and some are claimed wrongly. Where judged cells tell how often, the count is adjusted:

    share = (claimed - false claims) / (found - false claims)

with `found` the share claimed of cells that show the class and `false claims` that of cells that do
not, and its 90 % interval holds what chance makes of so many cells and the error of both rates, if
they are in this unit as in all judged cells. Without judged cells labels set bounds: each label of
a field is shown by one of its cells at least.

Cells of a unit differ as far as their probabilities do: the entropy of the mean cell less the mean
entropy of cells, added up over classes, in bits; 0 where all cells have the same probabilities.
Uncertain scores count as differences, and scores mixed with those of the field hide them.

A unit is a mixture where some of its cells show a class and some do not: the number claimed is too
small for all and too large for none, at the rates found (else at 0.9 and 0.1), each with a chance
of 1 %, shared by the classes.

Sources: adjusted count, Forman 2008 (Data Mining and Knowledge Discovery 17:164); the entropy
between cells is the Jensen-Shannon divergence of Lin 1991 (IEEE Trans. Inf. Theory 37:145).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, norm

from cellwise.measures.bootstrap import Floats, Groups
from cellwise.measures.weighted import TAIL, Share, share_of

Flags = npt.NDArray[np.bool_]

# Rates that are nearer than this tell no share.
_APART = 0.1
_FEWEST = 10
_CHANCE = 0.01
_SUPPOSED = (0.9, 0.1)


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a class is claimed.

    Args:
        found: Of cells that show it.
        false: Of cells that do not.
    """

    found: Share
    false: Share


@dataclass(frozen=True, slots=True)
class Patterns:
    """What is known of units.

    Args:
        cells: `[unit]`.
        claimed: `[unit, class]`, share of the cells that the run claims to show it.
        share: `[unit, class]`, adjusted; NaN without rates.
        low, high: `[unit, class]`, ends of its 90 % interval, or bounds.
        entropy: `[unit]`, bits.
        mixed: `[unit, class]`, whether some cells show it and some do not.
    """

    cells: npt.NDArray[np.int64]
    claimed: Floats
    share: Floats
    low: Floats
    high: Floats
    entropy: Floats
    mixed: Flags


def rates_of(claimed: Flags, shows: Floats, weight: Floats, group: Groups) -> Rates | None:
    """The rates of one class; None where fewer than ten judged cells show it, or do not.

    Args:
        claimed: `[cell]`.
        shows: `[cell]`, 1 or 0, NaN for cells nobody judged.
        weight: `[cell]`, for how many cells each stands, 0 for none.
        group: `[cell]`, numbers of groups of cells that are alike.
    """
    parts = [np.flatnonzero((shows == answer) & (weight > 0)) for answer in (1, 0)]
    if min(map(len, parts)) < _FEWEST:
        return None
    found, false = (share_of(claimed[p].astype(float), weight[p], group[p]) for p in parts)
    return Rates(found, false) if found.value - false.value > _APART else None


def patterns_of(
    claimed: Flags,
    chance: Floats,
    unit: Groups,
    rates: Sequence[Rates | None],
    given: npt.NDArray[np.int8],
) -> Patterns:
    """What is known of each unit.

    Args:
        claimed: `[cell, class]`.
        chance: `[cell, class]` in 0..1.
        unit: `[cell]`, numbers from 0.
        rates: One for each class; None where nothing is known.
        given: `[unit, class]`, 1 where a field of the unit has the label, 0 where none has, -1
            where there is no label.
    """
    count, classes = given.shape
    n = np.bincount(unit, minlength=count)
    each = np.maximum(n, 1)[:, None]
    hits = _sums(claimed.astype(np.float64), unit, count)
    share = np.full((count, classes), np.nan)
    low, high = np.where(given == 1, 1 / each, 0.0), np.ones((count, classes))
    mixed = np.zeros((count, classes), bool)
    for k, rate in enumerate(rates):
        if rate is not None:
            share[:, k], low[:, k], high[:, k] = _adjusted(hits[:, k], each[:, 0], rate)
        found, false = _SUPPOSED if rate is None else (rate.found.value, rate.false.value)
        small = _CHANCE / classes
        few = binom.cdf(hits[:, k], n, _inside(found)) < small
        many = binom.sf(hits[:, k] - 1, n, _inside(false)) < small
        mixed[:, k] = few & many
    mean = _sums(chance, unit, count) / each
    entropy = (_bits(mean) - _sums(_bits(chance), unit, count) / each).sum(axis=1)
    return Patterns(n, hits / each, share, low, high, np.maximum(entropy, 0), mixed)


def _adjusted(hits: Floats, n: Floats, rate: Rates) -> tuple[Floats, Floats, Floats]:
    """Adjusted share of each unit with the ends of its interval."""
    z = float(norm.ppf(1 - TAIL))
    found, false = rate.found.value, rate.false.value
    apart = found - false
    share = np.clip((hits / n - false) / apart, 0, 1)
    t, f = _inside(found), _inside(false)
    chance = (share * t * (1 - t) + (1 - share) * f * (1 - f)) / n
    wide = [((one.high - one.low) / (2 * z)) ** 2 for one in (rate.found, rate.false)]
    spread = z * np.sqrt(chance + share**2 * wide[0] + (1 - share) ** 2 * wide[1]) / apart
    return share, np.maximum(share - spread, 0), np.minimum(share + spread, 1)


def _inside(share: float) -> float:
    """A rate that chance can be reckoned with: never quite 0 or 1."""
    return float(np.clip(share, 0.01, 0.99))


def _sums(values: Floats, unit: Groups, count: int) -> Floats:
    found = np.zeros((count, values.shape[1]))
    np.add.at(found, unit, values)
    return found


def _bits(chance: Floats) -> Floats:
    """Entropy of a yes or no, 0..1."""
    p = np.clip(chance, 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))
