"""Which classes a cell may show, with a stated error: conformal sets from judged cells.

For each class by itself (Mondrian), and among the cells that show it, a threshold is found below
which at most `error` of such cells lie. The set of a cell holds each class whose probability
reaches its threshold: so of the cells that show a class at most `error` lack it in their set,
however wrong the probabilities are, as long as the judged cells are a random draw of those that are
spoken of. With n judged cells the next one falls below the k-th lowest of them with chance
k / (n + 1); between two cells thresholds are interpolated. Cells of one group are alike, and cells
stand for different numbers of others, so n is the effective number.

A second threshold is for claims: of the cells that reach it at most `error` do not show the class,
with 95 % confidence. Candidates are tried from the highest down and the first that fails ends it.

How often sets hold what cells show is measured on cells of groups that thresholds were not taken
from (ten parts of the groups), and given with an interval over groups.

Sources: Mondrian and weighted conformal prediction, Vovk et al. 2005 (Algorithmic Learning in a
Random World), Tibshirani et al. 2019 (arXiv 1904.06019); conformal prediction in groups, Dunn et
al. 2023 (J. Am. Stat. Assoc. 118:2491); learn then test, Angelopoulos et al. 2021 (arXiv
2110.01052). Interpolation as definition 6 of Hyndman and Fan 1996 (Am. Stat. 50:361).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.measures.bootstrap import Floats, Groups, numbered
from cellwise.measures.weighted import Share, effective, jeffreys, share_of, variance_of_sum

ERROR = 0.1
# Of cells that show a class fewer say too little of where the lowest tenth of them lies.
FEWEST = 20
FEWEST_GROUPS = 10
_PARTS = 10
# Claims are first tried of so many cells, times one over the error. Of half as many all would have
# to be right, and one wrong cell at the top would end the sequence.
_FIRST, _STEP = 6.0, 1.25

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """Cells that were judged, or fields with labels.

    Args:
        chance: `[cell, class]` in 0..1, what a model says that has learned from none of them.
        shows: `[cell, class]`, 1 or 0 as a person saw it, NaN where nobody was asked or sure.
        weight: `[cell]`, for how many cells each stands, above 0.
        group: `[cell]`, numbers of groups of cells that are alike.
    """

    chance: Floats
    shows: Floats
    weight: Floats
    group: Groups


@dataclass(frozen=True, slots=True)
class ClassSet:
    """The thresholds of one class.

    Args:
        may: Cells at or above it have the class in their set; None where too few show it.
        surely: Of the cells at or above it at most `error` do not show the class; None where no
            threshold is known to reach that.
        shown: Judged cells that show the class.
        groups: Groups that these cells are of.
        effective: How many cells of equal weight, each a group of its own, say as much.
        covered: Of the cells that show it, those whose set has it, thresholds from other groups.
    """

    may: float | None
    surely: float | None
    shown: int
    groups: int
    effective: float
    covered: Share


@dataclass(frozen=True, slots=True)
class Sets:
    """What was found for all classes.

    Args:
        classes: One for each class.
        covered: Of all that cells show, of the classes with a threshold, what their sets hold.
        effective: How many cells of equal weight and a group each would have as wide an interval.
        groups: Groups with a judged cell.
        judged: Cells that were judged in some class.
    """

    classes: tuple[ClassSet, ...]
    covered: Share
    effective: float
    groups: int
    judged: int


def fit_sets(sample: Sample, *, error: float = ERROR, seed: int = 0) -> Sets:
    """Thresholds from all judged cells, and coverage measured across groups.

    Args:
        sample: The judged cells.
        error: The promised error, above 0 and below 1.
        seed: By what groups are put into parts.
    """
    if not 0 < error < 1:
        raise ValueError("The error of prediction sets lies between 0 and 1.")
    group = numbered(sample.group)
    groups = int(group.max(initial=-1)) + 1
    part = (np.random.default_rng(seed).permutation(groups) % _PARTS)[group]
    found, hits, rows = [], [], []
    for column in range(sample.chance.shape[1]):
        shown = np.flatnonzero(sample.shows[:, column] == 1)
        chance, weight, own = sample.chance[shown, column], sample.weight[shown], group[shown]
        enough = len(shown) >= FEWEST and len(np.unique(own)) >= FEWEST_GROUPS
        may = _lowest(chance, weight, own, error) if enough else None
        covered = np.zeros(0)
        if may is not None:
            covered = _covered(chance, weight, own, part[shown], error)
            hits.append(covered)
            rows.append(shown)
        else:
            shown = shown[:0]
        found.append(
            ClassSet(
                may,
                _claims(sample, column, error),
                int((sample.shows[:, column] == 1).sum()),
                len(np.unique(own)),
                _size(chance, weight, own, error) if len(chance) else 0.0,
                share_of(covered, sample.weight[shown], group[shown]),
            )
        )
    hit = np.concatenate([np.zeros(0), *hits])
    row = np.concatenate([np.zeros(0, np.int64), *rows])
    total = share_of(hit, sample.weight[row], group[row])
    judged = int(np.isfinite(sample.shows).any(axis=1).sum())
    return Sets(tuple(found), total, _spoken(total, hit, sample.weight[row], group[row]),
                groups, judged)  # fmt: skip


def in_sets(chance: Floats, thresholds: list[float | None]) -> Flags:
    """`[cell, class]`: whether the class is in the cell's set; never, without a threshold."""
    edge = np.array([np.inf if one is None else one for one in thresholds], np.float64)
    return np.asarray(chance >= edge)


def _size(chance: Floats, weight: Floats, group: Groups, error: float) -> float:
    """The effective number of cells, as far as the place of the lowest of them goes."""
    size = effective(weight)
    order = np.argsort(chance, kind="stable")
    total = np.cumsum(weight[order]) / weight.sum()
    edge = chance[order][min(int(np.searchsorted(total, error)), len(order) - 1)]
    below = (chance <= edge).astype(np.float64)
    own = weight / weight.sum()
    share = float(own @ below)
    variance = variance_of_sum(own * (below - share), group)
    return min(size, share * (1 - share) / variance) if 0 < share < 1 and variance > 0 else size


def _lowest(chance: Floats, weight: Floats, group: Groups, error: float) -> float | None:
    """The threshold below which the next cell falls with chance `error`; None with too few."""
    if not len(chance):
        return None
    order = np.argsort(chance, kind="stable")
    size = _size(chance, weight, group, error)
    place = np.cumsum(weight[order]) / weight.sum() * size / (size + 1)
    if place[0] > error:
        return None
    return float(np.interp(error, place, chance[order]))


def _covered(chance: Floats, weight: Floats, group: Groups, part: Groups, error: float) -> Floats:
    """`[cell]`: 1 where the cell reaches the threshold that cells of the other parts give."""
    found = np.ones(len(chance))
    for number in np.unique(part):
        held = part == number
        edge = _lowest(chance[~held], weight[~held], group[~held], error)
        if edge is not None:
            found[held] = chance[held] >= edge
    return found


def _claims(sample: Sample, column: int, error: float) -> float | None:
    """The lowest threshold that a fixed sequence of tests reaches; None where the first fails."""
    known = np.flatnonzero(np.isfinite(sample.shows[:, column]))
    order = known[np.argsort(-sample.chance[known, column], kind="stable")]
    chance = sample.chance[order, column]
    wrong = 1 - sample.shows[order, column]
    weight, group = sample.weight[order], sample.group[order]
    count, best = _FIRST / error, None
    while int(count) <= len(order):
        edge = float(chance[int(count) - 1])
        # All that tie with it are claimed as well.
        there = int(np.searchsorted(-chance, -edge, side="right"))
        own = weight[:there] / weight[:there].sum()
        value = float(own @ wrong[:there])
        variance = variance_of_sum(own * (wrong[:there] - value), group[:there])
        size = effective(weight[:there])
        high = jeffreys(value, variance, size, len(np.unique(group[:there])))[1]
        if (3 / size if value == 0 else high) > error:
            break
        best, count = edge, max(count * _STEP, there + 1.0)
    return best


def _spoken(total: Share, hit: Floats, weight: Floats, group: Groups) -> float:
    """The effective number behind a share."""
    if not 0 < total.value < 1:
        return effective(weight)
    own = weight / weight.sum()
    variance = variance_of_sum(own * (hit - total.value), group)
    return total.value * (1 - total.value) / variance if variance > 0 else effective(weight)
