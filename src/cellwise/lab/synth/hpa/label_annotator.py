"""The annotator between what a protein shows and the labels its fields are given.

Source: figures 7.5 of the field notes (misses, false adds) after Kaggle HPA 2021. The shares of
classes and sets are known for the *given* labels, so a given set is drawn first and what lies
behind it second: which of its labels is false, which further label was missed. That is the same
joint distribution as drawing the protein first and rejecting until the given labels fit, without
the rejection. Where sets come from protein families the protein is drawn and then annotated.
"""

from dataclasses import dataclass

import numpy as np

from cellwise.lab.synth.hpa.label_sets import (
    AGGRESOME,
    CLASSES,
    NEGATIVE,
    SPINDLE,
    Flags,
    Floats,
    LabelSet,
    LabelSets,
)
from cellwise.lab.synth.severity import Severity

_SWEEPS = 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """A given set and what lies behind it.

    Args:
        given: Labels of the field, Negative alone where there is none.
        protein: Classes that the protein has.
        false: Given, but not of the protein; at most one.
        missed: Of the protein, but not given.
    """

    given: LabelSet
    protein: LabelSet
    false: LabelSet
    missed: LabelSet


@dataclass(frozen=True, slots=True, eq=False)
class Annotator:
    """The annotator of one world.

    Args:
        sets: Distribution of the given sets.
        partners: Whether a class, when false, stands beside another: `[false, other]`.
        false_odds: Probability that a class is false, where a partner of it is given too.
        misses: Probability that a class stands behind a set and was missed, `[set, class]`.
    """

    sets: LabelSets
    partners: Flags
    false_odds: Floats
    misses: Floats

    def judge(self, given: LabelSet, rng: np.random.Generator) -> Verdict:
        """What lies behind a given set."""
        if given == (NEGATIVE,):
            return Verdict(given, (), (), ())
        false = _pick(given, [self._false(k, given) for k in given], rng.random())
        number = self.sets.number_of(given)
        chances = list(self.misses[number]) if number is not None else []
        missed = _pick(tuple(range(CLASSES)), chances, rng.random())
        protein = tuple(sorted((set(given) - set(false)) | set(missed)))
        return Verdict(given, protein, false, missed)

    def annotate(self, protein: LabelSet, severity: Severity, rng: np.random.Generator) -> Verdict:
        """What a known protein is given: each label is missed by itself, one may be added."""
        if not protein or protein == (NEGATIVE,):
            return Verdict((NEGATIVE,), (), (), ())
        odds = np.array([_odds_missed(k, severity) for k in protein])
        lost = np.asarray(rng.random(len(protein)) < odds / (1 + odds))
        if lost.all():
            lost[int(rng.integers(len(protein)))] = False
        missed = tuple(k for k, gone in zip(protein, lost, strict=True) if gone)
        shares = self.sets.class_shares()
        beside = np.asarray(self.partners[:, list(protein)].any(1))
        beside[list(protein)] = False
        weights = shares * beside
        chances = severity.false_adds * len(protein) * weights / max(weights.sum(), 1e-300)
        false = _pick(tuple(range(CLASSES)), list(chances), rng.random())
        given = tuple(sorted((set(protein) - set(missed)) | set(false)))
        return Verdict(given, protein, false, missed)

    def _false(self, label: int, given: LabelSet) -> float:
        beside = any(self.partners[label, other] for other in given if other != label)
        return float(self.false_odds[label]) if beside else 0.0


def make_annotator(sets: LabelSets, severity: Severity) -> Annotator:
    """The annotator who gives these sets with this severity's mistakes."""
    partners = _partners(sets)
    single = sets.class_shares()
    members = sets.members
    false_odds = np.zeros(CLASSES)
    for k in range(NEGATIVE):
        beside = sets.shares[members[:, k] & (members & partners[k]).any(1)].sum()
        false_odds[k] = min(1.0, severity.false_adds * single[k] / beside) if beside else 0.0
    return Annotator(sets, partners, false_odds, _fit_misses(sets, severity))


def _fit_misses(sets: LabelSets, severity: Severity) -> Floats:
    """Probability, `[set, class]`, that the set was given for the set with one class more.

    Bayes: in proportion to how often the larger set occurs. Scaled until each class is missed as
    often as it should be; a field whose only label was missed is in no data set, so the sets of two
    labels and more bear its share.
    """
    odds = np.array([_odds_missed(k, severity) for k in range(NEGATIVE)] + [0.0])
    wanted = odds * sets.class_shares()
    larger = np.zeros((len(sets.sets), CLASSES))
    for row, labels in enumerate(sets.sets):
        for k in range(NEGATIVE):
            number = sets.number_of((*labels, k)) if k not in labels else None
            if number is not None and NEGATIVE not in labels:
                larger[row, k] = sets.shares[number] / max(sets.shares[row], 1e-300)
    for _ in range(_SWEEPS):
        found = larger * odds
        found = found / (1.0 + found.sum(1, keepdims=True))
        reached = sets.shares @ found
        odds = odds * np.where(reached > 0, wanted / np.maximum(reached, 1e-300), 0.0)
    return np.asarray(found)


def share_of_variable(severity: Severity, *, missed: bool) -> float:
    """How many of the given (or of the missed) labels vary: those that vary are missed more."""
    rates = np.array(severity.miss)
    weights = np.array([1 - severity.scv, severity.scv]) * (rates if missed else 1 - rates)
    return float(weights[1] / weights.sum()) if weights.sum() > 0 else severity.scv


def _odds_missed(label: int, severity: Severity) -> float:
    """Missed per given label."""
    if label == SPINDLE:
        return severity.miss_spindle / (1 - severity.miss_spindle)
    steady, weak = (rate / (1 - rate) for rate in severity.miss)
    if label == AGGRESOME:
        return weak
    varying = share_of_variable(severity, missed=False)
    return varying * weak + (1 - varying) * steady


def _partners(sets: LabelSets) -> Flags:
    """Classes that occur with a class more often than chance; where none does, the likeliest."""
    lifts = sets.lifts()
    best = lifts.max(1, keepdims=True)
    partners = (lifts > 1) | ((best <= 1) & (lifts == best) & (best > 0))
    partners[NEGATIVE, :] = partners[:, NEGATIVE] = False
    return np.asarray(partners)


def _pick(what: LabelSet, chances: list[float], at: float) -> LabelSet:
    """One of `what` with its chance, or nothing."""
    edges = np.cumsum(chances) if chances else np.zeros(0)
    place = int(np.searchsorted(edges, at, side="right"))
    return (what[place],) if place < len(what) else ()
