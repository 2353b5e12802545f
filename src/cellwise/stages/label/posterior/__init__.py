"""What each cell shows of its field's labels - none, one or several - by what other cells show.

Evidence are vectors of an embed step, learned out of fold by group in every round, or the
out-of-fold scores of a network. Methods:

* `soft_ratio`: every label goes to cells as far as they come near the field's best cell;
* `ratio_competing`: the same, labels of a field competing for its cells;
* `learned_competition`: the same, as much as groups left out say it helps;
* `one_state`: each cell shows one class, which its field may have been denied by mistake;
* `mixture`: what fields without the class never look like shows it;
* `hedge`: inherited labels, soft ratio, full competition and one state as one. Those whose students
  rank groups that were left out worse than students of inherited labels do are not heard; where
  none is heard, cells inherit. One state counts six times as much as each other in classes of ten
  fields or more, unless its students lie 0.03 behind those of the best, or it ranks a class's cells
  the other way round than soft ratio. Of scores no group can be left out: then it is inherited
  labels and soft ratio.

More than 200 classes, or more cells and classes than 6 GiB hold, inherit, and the record says so.

Source: see the methods; what each of them is worth stands in `docs/explain/posterior.md`.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellwise.contracts.labeller import (
    INHERITED,
    SUPPORTED,
    UNSCORED,
    Bags,
    CellLabels,
    Flags,
    Floats,
    Labeller,
)
from cellwise.errors import BadOption
from cellwise.parts.learners import kernel_ridge
from cellwise.registry import did_you_mean, split_spec
from cellwise.stages.label._cells import weights
from cellwise.stages.label._learned import PARTITIONS
from cellwise.stages.label._twins import twins_of
from cellwise.stages.label.posterior._audited import audit_of, facts_of, fields_of
from cellwise.stages.label.posterior._choice import Choice, choose
from cellwise.stages.label.posterior._evidence import starts, usable
from cellwise.stages.label.posterior._fields import Fields, Floats64, Numbers
from cellwise.stages.label.posterior._methods import ALONE
from cellwise.stages.label.posterior._pooled import ENOUGH_FIELDS, pooled
from cellwise.stages.label.posterior._unsure import unsure
from cellwise.stages.label.posterior.hedge import hedge
from cellwise.stages.label.posterior.one_state import OneState

NEEDS = ("evidence",)

METHODS = ("hedge", "learned_competition", *ALONE)
# Matrices of cells and classes that are held at a time, and how many bytes they may take.
_HELD = 12
_MOST_BYTES = 6 << 30
# Which labels go together is compared for each class.
_MOST_CLASSES = 200
_RESTARTS = 4
# What a forecast is made from: a learner of so many cells and numbers, how its time grows with
# cells while it is exact, and how many learners of all cells the groups left out are worth.
_TRIED, _NUMBERS, _GROWTH, _OF_GUARD, _OVERHEAD = 1000, 400, 2.2, 2, 0.5
# With more cells fewer restarts are made, for time: cells times restarts.
_MOST_WORK = 100_000


def build(
    method: str = "hedge",
    rounds: int = 10,
    restarts: int = _RESTARTS,
    border: float = 1.0,
    tiny: float = 1.0,
    *,
    missed: bool = True,
    lift: bool = True,
    cover: bool = True,
) -> Labeller:
    """Make the labeller; cells of which nothing was measured are inherited and weigh nothing.

    Args:
        method: `hedge`, `soft_ratio`, `ratio_competing`, `learned_competition`, `one_state` or
            `mixture`.
        rounds: Of learning and labelling; the ratios and the mixture stop after four.
        restarts: Learners with random settings and folds, whose labels are averaged; 1 for one
            learner with middle settings. Fewer are made of more than 33,000 cells.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
        missed: Whether `one_state` lets a cell show a class that its field was not given, as often
            as fields with like labels have it.
        lift: Whether `one_state` holds what is found of a class against its mean; without, what is
            frequent wins.
        cover: Whether `one_state` raises labels of a field that less than one of its cells shows.
    """
    if method not in METHODS:
        raise BadOption(
            f"label posterior: method is one of {', '.join(METHODS)}, not {method!r}."
            f"{did_you_mean(method, list(METHODS))}"
        )
    if rounds < 1 or restarts < 1:
        raise BadOption("label posterior: rounds and restarts are at least 1.")
    if border < 0 or tiny < 0:
        raise BadOption("label posterior: weights are not negative.")
    state = OneState(rounds, missed=missed, lift=lift, cover=cover)
    settings = _Settings(method, restarts, state)

    def posterior(bags: Bags) -> CellLabels:
        known = usable(bags)
        label = bags.inherited
        facts: dict[str, Any] = {}
        rows = np.flatnonzero(known)
        too_much = _too_much(*bags.inherited.shape)
        told = bool(len(rows)) and bool(bags.field_labels.any()) and not too_much
        if too_much:
            facts = {"inherits_because": too_much}
        if told:
            rows = rows[np.argsort(bags.site[rows], kind="stable")]
            found = _found(bags, rows, settings)
            label[rows] = found.label
            facts = found.facts
        weight = weights(bags, border=border, tiny=tiny)
        return CellLabels(
            np.clip(label, 0, 1).astype(np.float32),
            np.where(known, weight, 0) if told else weight,
            tuple(np.where(known, SUPPORTED if told else INHERITED, UNSCORED).tolist()),
            facts,
        )

    return posterior


def seconds_of(spec: str | dict[str, Any], cells: int, classes: int) -> float:
    """Seconds of one core for so many cells, from one learner of some made-up ones.

    Args:
        spec: The labeller with its options, as in a recipe.
        cells: Cells of labelled fields.
        classes: Positive classes.
    """
    options = split_spec(spec)[1]
    restarts = min(int(options.get("restarts", _RESTARTS)), 1 + _MOST_WORK // max(1, cells))
    some = min(cells, _TRIED)
    if not some or _too_much(cells, classes):
        return 0.0
    random = np.random.default_rng(0)
    vectors = random.normal(size=(some, _NUMBERS)).astype(np.float32)
    labels = np.zeros((some, classes), np.float32)
    folds = np.stack([random.permutation(some) % 5 for _ in range(PARTITIONS)])
    begun = time.process_time()
    kernel_ridge.build().out_of_fold(vectors, folds, 0)(labels)
    each = (time.process_time() - begun) * (cells / some) ** _GROWTH
    return float(_OVERHEAD + each * (restarts + _OF_GUARD))


@dataclass(frozen=True, slots=True)
class _Settings:
    method: str
    restarts: int
    state: OneState


@dataclass(frozen=True, slots=True)
class _Found:
    label: Floats64
    facts: dict[str, Any]


def _found(bags: Bags, rows: Numbers, settings: _Settings) -> _Found:
    """Labels of the usable cells, `[cell, class]`, and what to tell of them."""
    twins = twins_of(bags.field_labels, bags.verdict)

    def smooth(labels: Floats) -> Floats:
        begin = starts(bags, rows, twins.first, restarts=1, state=settings.state)
        return next(begin).smooth(labels)

    given = twins.merged(bags.field_labels)
    fields = fields_of(bags, rows, twins.first, bags.site[rows], given, smooth)
    choice = choose(settings.method, bags, rows, twins.first, settings.state)
    every = _restarts(bags, rows, twins.first, fields, choice, settings)
    of_method = [
        np.mean([found[at] for found in every], axis=0) for at in range(len(choice.shares))
    ]
    labels = fields.judged(pooled(fields, _mixed(of_method, choice, fields)))
    facts: dict[str, Any] = dict(choice.facts)
    if together := twins.names(bags.field_labels, bags.classes):
        facts["never_told_apart"] = together
    names = tuple(bags.classes[k] for k in twins.first) if bags.classes else ()
    contradicted = np.flatnonzero(_contradicted(of_method, choice, fields))
    if names and len(contradicted):
        facts["one_state_contradicted_in"] = [names[k] for k in contradicted]
    facts |= unsure(fields, labels, [_mixed(found, choice, fields) for found in every], names)
    facts |= facts_of(audit_of(bags, rows, twins.first), fields.told, names)
    return _Found(twins.spread(labels), facts)


def _restarts(
    bags: Bags, rows: Numbers, columns: Numbers, fields: Fields, choice: Choice, settings: _Settings
) -> list[list[Floats64]]:
    """`[restart][method]`: labels `[cell, class]`."""
    if choice.inherits:
        return [[fields.judged(fields.own.astype(np.float64))]]
    drawn = starts(
        bags, rows, columns,
        restarts=min(settings.restarts, 1 + _MOST_WORK // len(rows)), state=settings.state,
    )  # fmt: skip
    return [[method(fields, start) for method in choice.methods] for start in drawn]


def _mixed(labels: list[Floats64], choice: Choice, fields: Fields) -> Floats64:
    """Methods as one; in classes of few fields none is leant on, for it has met few others.

    Nor in a class whose cells it ranks the other way round than the method it is held against: of
    classes that look alike it may have exchanged the labels.
    """
    if len(labels) == 1:
        return labels[0]
    alone = fields.given.sum(0) < ENOUGH_FIELDS
    alone |= _contradicted(labels, choice, fields)
    shares = np.array(choice.shares)[:, None]
    return hedge(labels, np.where(alone, np.minimum(shares, 1), shares))


def _contradicted(labels: list[Floats64], choice: Choice, fields: Fields) -> Flags:
    """`[class]`: whether the method that is leant on ranks its cells the other way round."""
    if choice.leant_on is None or choice.held_against is None:
        return np.zeros(fields.given.shape[1], bool)
    return fields.alike(labels[choice.leant_on], labels[choice.held_against]) < 0


def _too_much(cells: int, classes: int) -> str:
    """Why cells inherit without being looked at, as the record says it; empty where they do not."""
    needed = 8 * cells * classes * _HELD
    if needed > _MOST_BYTES:
        return (
            f"{cells:,} cells of {classes:,} classes would take {needed / 2**30:.0f} GiB, more "
            f"than {_MOST_BYTES >> 30}"
        )
    if classes > _MOST_CLASSES:
        return f"{classes:,} classes, more than {_MOST_CLASSES}"
    return ""
