"""Which labels stand together on a field of the HPA challenge, and how often.

Source: counts of the 21,806 training images of the challenge (Kaggle HPA 2021): images per class,
labels per image, the 21 most frequent sets, images with only one label, and the pairs that occur
much more or much less often than chance. A sampler that reproduces all of them at once is the
distribution of greatest entropy under them (iterative proportional fitting: Deming and Stephan
1940; Csiszar 1975), cut to the 386 sets that the real data has.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

LabelSet = tuple[int, ...]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

CLASSES = 19
NEGATIVE = 18
SPINDLE = 11
AGGRESOME = 15
CYTOSOL = 16

IMAGES = 21806
PER_CLASS = (
    *(8797, 1095, 2451, 1262, 1425, 1792, 775, 1846, 964, 998),
    *(818, 78, 1734, 3111, 2013, 252, 5685, 593, 34),
)
# Two images have five labels; they are counted with the fours.
PER_SIZE = {1: 10508, 2: 8873, 3: 2233, 4: 192}
# Sets of each size in the 386 that occur; Negative is one of the singles.
KINDS_PER_SIZE = {1: 19, 2: 140, 3: 190, 4: 37}
FREQUENT: dict[LabelSet, int] = {
    (0,): 1551,
    (0, 16): 1278,
    (14,): 1054,
    (16,): 906,
    (13,): 818,
    (4,): 788,
    (7,): 719,
    (5,): 636,
    (0, 2): 596,
    (0, 13): 576,
    (12,): 561,
    (3,): 549,
    (8,): 529,
    (2,): 515,
    (0, 7): 481,
    (6,): 476,
    (0, 12): 414,
    (10,): 404,
    (0, 5): 383,
    (0, 14): 378,
    (13, 16): 358,
    (SPINDLE,): 1,
    (NEGATIVE,): 34,
}
# Observed over expected number of images with both labels.
LIFTS: dict[tuple[int, int], float] = {
    (SPINDLE, 16): 1.52,
    (9, 13): 1.49,
    (0, 1): 1.21,
    (0, 2): 1.14,
    (0, 16): 1.05,
    (0, 4): 0.11,
    (0, 6): 0.20,
    (7, 12): 0.22,
}
# Brightness of classes against one packed into points (own choice): a protein that is spread over a
# whole compartment is dimmer at each place. Without it brightness alone would tell them.
SPREAD_OUT = {0: 0.45, 6: 0.45, 9: 0.7, 10: 0.7, 16: 0.35}
_SWEEPS = 2000
# The counts are known to one image; the fives counted as fours leave 6e-5.
_CLOSE = 2e-4
_CLOSE_ENOUGH_TO_RANK = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class LabelSets:
    """A distribution over sets of labels.

    Args:
        sets: The sets, each sorted.
        shares: Probability of each, summing to 1.
    """

    sets: tuple[LabelSet, ...]
    shares: Floats

    @property
    def members(self) -> Flags:
        """Which class is in which set, `[set, class]`."""
        return _members(self.sets)

    def class_shares(self) -> Floats:
        """Probability that a set holds each class."""
        return np.asarray(self.shares @ self.members)

    def pair_shares(self) -> Floats:
        """Probability that a set holds both classes, `[class, class]`."""
        members = self.members.astype(float)
        return np.asarray(members.T @ (self.shares[:, None] * members))

    def lifts(self) -> Floats:
        """Pair shares over those of independent labels; 0 on the diagonal."""
        single = self.class_shares()
        lifts = self.pair_shares() / np.maximum(np.outer(single, single), 1e-300)
        np.fill_diagonal(lifts, 0.0)
        return lifts

    def number_of(self, labels: LabelSet) -> int | None:
        """Position of a set, None where it never occurs."""
        return _numbers(self).get(tuple(sorted(labels)))

    def given(self, label: int) -> "LabelSets":
        """The distribution of the sets that hold a label."""
        keep = [i for i, s in enumerate(self.sets) if label in s and self.shares[i] > 0]
        shares = self.shares[keep]
        return LabelSets(tuple(self.sets[i] for i in keep), shares / shares.sum())

    def at(self, place: float) -> LabelSet:
        """The set at a place 0..1 of the cumulated probabilities."""
        number = int(np.searchsorted(np.cumsum(self.shares), place, side="right"))
        return self.sets[min(number, len(self.sets) - 1)]


@cache
def empirical_sets() -> LabelSets:
    """The sets given to the fields of the challenge."""
    every = [labels for size in PER_SIZE for labels in combinations(range(NEGATIVE), size)]
    fitted = _fit([*every, (NEGATIVE,)], close=_CLOSE_ENOUGH_TO_RANK)
    kept: list[LabelSet] = []
    for size, kinds in KINDS_PER_SIZE.items():
        order = sorted(
            (i for i, labels in enumerate(fitted.sets) if len(labels) == size),
            key=lambda i: (-fitted.shares[i], fitted.sets[i]),
        )
        kept += sorted(fitted.sets[i] for i in order[:kinds])
    return _fit(kept, close=_CLOSE)


def _fit(sets: list[LabelSet], *, close: float) -> LabelSets:
    """Greatest entropy over `sets` under all counts, by scaling to one count after another."""
    features, targets = _constraints(sets)
    shares = np.full(len(sets), 1.0 / len(sets))
    for _ in range(_SWEEPS):
        worst = 0.0
        for inside, target in zip(features, targets, strict=True):
            now = shares[inside].sum()
            worst = max(worst, abs(now / target - 1.0))
            shares[inside] *= target / now
            shares[~inside] *= (1.0 - target) / (1.0 - now)
        if worst < close:
            break
    return LabelSets(tuple(sets), shares / shares.sum())


def _constraints(sets: list[LabelSet]) -> tuple[list[Flags], list[float]]:
    """For each known count the sets it is about and its share of the images."""
    members = _members(tuple(sets))
    single = np.array(PER_CLASS) / IMAGES
    features = [members[:, k] for k in range(CLASSES)]
    targets = list(single)
    for (a, b), lift in LIFTS.items():
        features.append(members[:, a] & members[:, b])
        targets.append(lift * single[a] * single[b])
    for labels, count in FREQUENT.items():
        features.append(np.array([entry == labels for entry in sets]))
        targets.append(count / IMAGES)
    sizes = np.array([len(labels) for labels in sets])
    for size, count in PER_SIZE.items():
        features.append(sizes == size)
        targets.append(count / IMAGES)
    return features, [float(target) for target in targets]


@cache
def _numbers(source: LabelSets) -> dict[LabelSet, int]:
    return {labels: number for number, labels in enumerate(source.sets)}


@cache
def _members(sets: tuple[LabelSet, ...]) -> Flags:
    members = np.zeros((len(sets), CLASSES), bool)
    for row, labels in enumerate(sets):
        members[row, list(labels)] = True
    return members
