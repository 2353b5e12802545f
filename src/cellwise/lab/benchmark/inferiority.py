"""Whether a row is as good as its base in every world: a method for all has to be that in each.

Source: non-inferiority with a margin and a one-sided bound (CONSORT, Piaggio et al. 2012, JAMA
308:2594), here the 5 % percentile of a bootstrap over the groups and seeds of one world.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellwise.lab.benchmark.cells import Known
from cellwise.lab.benchmark.resampling import Shape, gathered, resample
from cellwise.measures.average_precision import Floats, average_precision, rank

# A row may lose so much macro average precision, and so much in one class.
MARGIN, CLASS_MARGIN = 0.01, 0.05
_BOUND = 0.05
_DRAWS = 400
_SEED = 20261128


@dataclass(frozen=True, slots=True)
class InWorld:
    """A row against its base in one drawn world.

    Args:
        difference: Of macro average precision.
        lower: Its one-sided 95 % bound.
        worst_class: The class that loses most.
        worst: What it loses (below 0) or gains.
    """

    difference: float
    lower: float
    worst_class: str
    worst: float

    @property
    def not_inferior(self) -> bool:
        """Whether both margins hold; a figure that is missing holds nothing."""
        return bool(self.lower > -MARGIN and self.worst >= -CLASS_MARGIN)


def in_world(
    known: Known, own: Sequence[Floats], base: Sequence[Floats], chosen: Sequence[int]
) -> InWorld | None:
    """The comparison in one world; None where no class counts.

    Args:
        known: Its cells.
        own: Of the row, `[cell, class]` of each seed.
        base: Of the base, likewise.
        chosen: Places of the classes that count.
    """
    if not chosen:
        return None
    shape = Shape(len(known.groups), len(own))
    (places,) = resample([shape], draws=_DRAWS, seed=_SEED)
    macro, apart = [], []
    for arm in (own, base):
        drawn = np.array([[_drawn(known, s[:, c], c, places.groups) for s in arm] for c in chosen])
        macro.append(gathered([places], [_mean(drawn)], draws=_DRAWS))
        once = [[average_precision(known.truth[:, c], s[:, c]) for s in arm] for c in chosen]
        apart.append(np.mean(once, axis=1))
    loss = apart[0] - apart[1]
    lowest = int(loss.argmin())
    bound = macro[0] - macro[1]
    lower = float(np.quantile(bound[np.isfinite(bound)], _BOUND))
    return InWorld(float(loss.mean()), lower, known.classes[chosen[lowest]], float(loss[lowest]))


def _drawn(known: Known, scores: Floats, c: int, weights: Floats) -> Floats:
    ranked = rank(known.truth[:, c], scores, known.group, count=len(known.groups))
    return ranked.precision(weights)


def _mean(drawn: Floats) -> Floats:
    """`[seed, draw]`: mean over the classes that a draw holds."""
    count = np.isfinite(drawn).sum(axis=0)
    return np.asarray(np.nansum(drawn, axis=0) / np.where(count > 0, count, np.nan))
