"""Label sets of a foreign world: the challenge's, or made up with companions and ties."""

import numpy as np

from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.hpa.label_sets import (
    NEGATIVE,
    SPINDLE,
    LabelSet,
    LabelSets,
    empirical_sets,
)
from cellwise.lab.synth.randomness import generator

_MOST = 5
_EXTRA = 4
# A class nobody drew would be in no world of this seed.
_LEAST_SETS = 2
_SPREAD = 0.6


def foreign_sets(severity: ForeignSeverity) -> LabelSets:
    """What the proteins of a world may have, Negative with the share that was drawn."""
    sets = empirical_sets() if severity.empirical else _made_up(severity)
    kept = [n for n, labels in enumerate(sets.sets) if labels != (NEGATIVE,)]
    shares = sets.shares[kept] / sets.shares[kept].sum()
    labels = tuple(sets.sets[n] for n in kept)
    return LabelSets(
        (*labels, (NEGATIVE,)), np.append(shares * (1 - severity.negative), severity.negative)
    )


def _made_up(severity: ForeignSeverity) -> LabelSets:
    """Sets that grow around a first class; companions lie near it in a plane drawn by chance."""
    rng = generator(severity.seed, "foreign", "sets")
    rank = rng.permutation(NEGATIVE)
    often = (1.0 + rank) ** -severity.tilt
    often[SPINDLE] *= 0.3
    places = rng.standard_normal((NEGATIVE, 2))
    far = np.linalg.norm(places[:, None] - places[None], axis=2)
    liking = often * np.exp(-severity.affinity * far)
    shares: dict[LabelSet, float] = {}
    firsts = rng.choice(NEGATIVE, size=severity.kinds, p=often / often.sum())
    for first in [*firsts, *_rare(firsts)]:
        labels = _grown(int(first), liking, severity, rng)
        shares[labels] = shares.get(labels, 0.0) + float(np.exp(_SPREAD * rng.standard_normal()))
    order = sorted(shares)
    values = np.array([shares[labels] for labels in order])
    return LabelSets(tuple(order), values / values.sum())


def _rare(firsts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[int]:
    """Classes that begin too few sets, as often as they lack."""
    counts = np.bincount(firsts, minlength=NEGATIVE)
    return [k for k in range(NEGATIVE) for _ in range(_LEAST_SETS - counts[k])]


def _grown(
    first: int, liking: np.ndarray, severity: ForeignSeverity, rng: np.random.Generator
) -> LabelSet:
    labels = [first]
    for _ in range(int(rng.binomial(_EXTRA, severity.extra))):
        chance = liking[labels].sum(0)
        chance[labels] = 0.0
        labels.append(int(rng.choice(NEGATIVE, p=chance / chance.sum())))
    for one, other in severity.ties:
        drawn = rng.random() < severity.tie
        if one in labels and other not in labels and drawn and len(labels) < _MOST:
            labels.append(other)
    return tuple(sorted(labels))
