"""One answer for each well of some plates: freely, inside a group, and one-to-one.

All three are always made, so that what the design of the plates adds is there to be read.

Sources: the group of a plate by the most votes (Lin & Lin) or by the best order of groups within
an experiment, jointly (the winner of the RxRx1 challenge, Sypetkowski 2019); mask, then greedy or
linear assignment (both); a temperature before it (11th place), balancing to a doubly stochastic
matrix (7th).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from cellwise.kernels.assignment import balanced, best, greedy, optimal
from cellwise.stages.assign._support import (
    best_order,
    of_no_group,
    order_is_supported,
)

Floats = npt.NDArray[np.float64]
Logits = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """How plates are decided.

    Args:
        group: Groups by the `order` within an experiment, or by the `majority` on each plate.
        one_to_one: `optimal` or `greedy`.
        sum_of: What the choice makes large: `logits`, or `probabilities` after the temperature.
        temperature: Logits are divided by it before they become probabilities; above 0.
        balance: Rounds of balancing rows and columns; 0 for none.
        always_grouped: Whether plates whose votes do not tell keep the group that fits best.
    """

    group: Literal["order", "majority"] = "order"
    one_to_one: Literal["optimal", "greedy"] = "optimal"
    sum_of: Literal["logits", "probabilities"] = "logits"
    temperature: float = 1.0
    balance: int = 0
    always_grouped: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """Per well: class numbers, -1 for none.

    Args:
        free: The largest logit.
        grouped: The largest logit inside the plate's group.
        assigned: One-to-one inside the group; -1 also for wells that are more than there are
            classes.
        confidence: Probability of the assigned answer among what its plate allows, after
            temperature and balancing; of the free one where none is assigned.
        group: The group of the well's plate, -1 where it is of none or votes do not tell; such a
            plate is answered freely, and one-to-one among all treatments.
        support: Share of the plate's free answers that lie in that group; NaN without a group.
    """

    free: Numbers
    grouped: Numbers
    assigned: Numbers
    confidence: Floats
    group: Numbers
    support: Floats


def votes(free: Numbers, plate: Numbers, group_of_class: Numbers) -> Numbers:
    """`[plate, group]`: how many free answers on each plate lie in each group."""
    groups = int(group_of_class.max(initial=-1)) + 1
    count = np.zeros((int(plate.max(initial=-1)) + 1, groups), np.int64)
    own = np.where(free >= 0, group_of_class[free], -1)
    np.add.at(count, (plate[own >= 0], own[own >= 0]), 1)
    return count


def groups_by_majority(count: Numbers) -> Numbers:
    """`[plate]`: the group with most votes; -1 where several have as many, or none has any."""
    if not count.shape[1]:
        return np.full(len(count), -1, np.int64)
    most = count.max(axis=1)
    alone = (count == most[:, None]).sum(axis=1) == 1
    return np.where(alone & (most > 0), count.argmax(axis=1), -1)


def groups_by_order(count: Numbers, experiment: Numbers) -> Numbers:
    """`[plate]`: within an experiment each group once, so that most of each group's votes fit.

    An experiment of more plates than groups, or of a single plate, is decided plate by plate;
    plates without votes get none.
    """
    found = groups_by_majority(count)
    for plates in _orders(count, experiment):
        row, column, _ = best_order(count[plates])
        voted = count[plates].sum(axis=1) > 0
        found[plates[row]] = np.where(voted[row], column, -1)
    return found


def supported_groups(
    count: Numbers, experiment: Numbers, of_plate: Numbers, rules: Rules
) -> Numbers:
    """`[plate]`: the same groups, -1 where votes do not speak for them."""
    found = of_plate.copy()
    if (found < 0).all():
        return found
    for plates in _orders(count, experiment) if rules.group == "order" else ():
        if not order_is_supported(count[plates]):
            found[plates] = -1
    found[of_no_group(count, found)] = -1
    return found


def _orders(count: Numbers, experiment: Numbers) -> list[Numbers]:
    """The plates of each experiment that has several and no more than there are groups."""
    plates = [np.flatnonzero(experiment == number) for number in np.unique(experiment)]
    return [own for own in plates if 1 < len(own) <= count.shape[1]]


def decide_wells(
    logits: Logits,
    plate: Numbers,
    experiment: Numbers,
    group_of_class: Numbers,
    rules: Rules,
    *,
    once: bool = True,
) -> Answers:
    """The answers of wells.

    Args:
        logits: `[well, class]`; classes that no well can show are `-inf`.
        plate: `[well]`, numbers from 0.
        experiment: `[plate]`, numbers.
        group_of_class: `[class]`, -1 for a class of no group; all -1 where there are no groups.
        rules: How.
        once: Whether a plate holds each treatment at most once; else nothing is assigned.
    """
    free = best(logits)
    count = votes(free, plate, group_of_class)
    by_order = rules.group == "order"
    of_plate = groups_by_order(count, experiment) if by_order else groups_by_majority(count)
    if not rules.always_grouped:
        of_plate = supported_groups(count, experiment, of_plate, rules)
    grouped, assigned = free.copy(), np.full(len(logits), -1, np.int64)
    confidence = np.zeros(len(logits))
    order = np.argsort(plate, kind="stable")
    starts = np.flatnonzero(np.diff(plate[order], prepend=-1))
    for wells in np.split(order, starts[1:]) if len(order) else ():
        group = of_plate[plate[wells[0]]]
        allowed = np.flatnonzero((group_of_class == group) | (group < 0))
        here = np.ascontiguousarray(logits[np.ix_(wells, allowed)])
        if group >= 0:
            grouped[wells] = _names(best(here), allowed)
        chance = _chances(here, rules)
        answer = _one_to_one(here, chance, rules) if once else np.full(len(wells), -1, np.int64)
        shown = np.where(answer >= 0, answer, best(here))
        sure = chance[np.arange(len(wells)), np.maximum(shown, 0)]
        confidence[wells] = np.where(shown >= 0, sure, 0.0)
        assigned[wells] = _names(answer, allowed)
    group_of_well = of_plate[plate]
    total = count.sum(axis=1)
    own = count[np.arange(len(count)), np.maximum(of_plate, 0)] if count.shape[1] else total
    support = np.where(of_plate >= 0, own / np.maximum(total, 1), np.nan)
    return Answers(free, grouped, assigned, confidence, group_of_well, support[plate])


def _names(answer: Numbers, allowed: Numbers) -> Numbers:
    return np.where(answer >= 0, allowed[answer], -1)


def _chances(logits: Logits, rules: Rules) -> Floats:
    """`[well, class]`, 0 in wells that allow nothing."""
    if rules.balance:
        return np.asarray(
            balanced(logits, temperature=rules.temperature, rounds=rules.balance), np.float64
        )
    possible = np.isfinite(logits).any(axis=1)
    found = np.zeros(logits.shape)
    if possible.any():
        found[possible] = softmax(logits[possible].astype(np.float64) / rules.temperature, axis=1)
    return found


def _one_to_one(logits: Logits, chance: Floats, rules: Rules) -> Numbers:
    scores = logits.astype(np.float64)
    if rules.sum_of == "probabilities":
        scores = np.where(np.isfinite(logits), chance, -np.inf)
    return optimal(scores) if rules.one_to_one == "optimal" else greedy(scores)
