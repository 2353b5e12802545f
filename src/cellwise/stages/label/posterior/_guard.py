"""Whether a method can be trusted with these cells: what its students say of groups it never met.

Groups are dealt to three parts. Each part in turn is left out wholly: its labels enter no round, no
prior and no learner. What a learner of the method's labels then finds in the part's cells is pooled
to fields by the best cell of each class, and the fields' labels say how well it ranks them (mean
over classes of the average precision), beside a learner of inherited labels.

It is a coarse instrument: the labels of fields say little of which cell shows what. On twelve
worlds for development it let one state per cell pass on five, where that was worth .10 or more, and
held it back on the two where it did harm and on five where it was worth .04 or less. Of single
classes it told nothing, so it decides about methods and not about classes.

Where people judged enough cells of a random draw, these are asked in place of fields, each by
students that met neither its group's labels nor its verdict.
"""

from collections.abc import Sequence

import numpy as np

from cellwise.contracts.labeller import Bags, Flags, Floats
from cellwise.measures.average_precision import average_precision
from cellwise.parts.learners import kernel_ridge
from cellwise.stages.label._learned import blocks_of, deal, groups_of
from cellwise.stages.label.posterior._audited import audit_of, fields_of
from cellwise.stages.label.posterior._evidence import starts
from cellwise.stages.label.posterior._fields import Fields, Floats64, Numbers
from cellwise.stages.label.posterior._methods import Method
from cellwise.stages.label.posterior.one_state import OneState

_PARTS = 3
# A class is asked about where so many fields or judged cells have it, and so many have it not.
_FEWEST = 3


def gains(
    bags: Bags,
    rows: Numbers,
    columns: Numbers,
    methods: Sequence[Method],
    state: OneState,
) -> list[float]:
    """Mean average precision of each method's students on fields left out, less inheriting's.

    Of judged cells in place of fields where an audit is large enough. NaN where it cannot be told:
    no vectors, fewer than three groups, or no class with three fields that have it and three that
    do not.

    Args:
        bags: The cells.
        rows: The usable cells, in the order of the fields.
        columns: The classes that are told apart.
        methods: What is compared.
        state: As in `starts`.
    """
    unknown = [float("nan")] * len(methods)
    group = groups_of(bags)[rows]
    if bags.vectors is None or len(np.unique(group)) < _PARTS:
        return unknown
    random = np.random.default_rng([bags.seed, 1])
    part = deal(group, _PARTS, random)
    given = bags.field_labels[:, columns]
    found = np.zeros((len(rows), len(methods) + 1, len(columns)), np.float32)
    for number in range(_PARTS):
        inner, outer = rows[part != number], rows[part == number]
        names, field = np.unique(bags.site[inner], return_inverse=True)
        start = next(starts(bags, inner, columns, restarts=1, state=state))
        fields = fields_of(
            bags, inner, columns, field.reshape(-1).astype(np.int64), given[names], start.smooth
        )
        own = fields.judged(fields.own.astype(float))
        labels = [own, *(method(fields, start) for method in methods)]
        found[part == number] = _students(bags, inner, outer, labels)
    audit = audit_of(bags, rows, columns)
    if audit is not None and audit.enough:
        judged = audit.whole
        shows = audit.shows[judged] == 1
        each = [_of_cells(shows, found[judged, n]) for n in range(len(methods) + 1)]
        if np.isfinite(each).all():
            return [one - each[0] for one in each[1:]]
    _, place = np.unique(bags.site[rows], return_inverse=True)
    best = Fields(place.reshape(-1).astype(np.int64), given[np.unique(bags.site[rows])])
    score = [_score(best, found[:, number]) for number in range(len(methods) + 1)]
    return [one - score[0] for one in score[1:]]


def _students(bags: Bags, inner: Numbers, outer: Numbers, labels: list[Floats64]) -> Floats:
    """`[outer cell, method, class]`: all methods' labels are learned at once."""
    assert bags.vectors is not None
    every = np.concatenate(labels, axis=1).clip(0, 1).astype(np.float32)
    weights = np.ones(len(inner), np.float32)
    fitted = kernel_ridge.build(blocks=blocks_of(bags)).fit(
        bags.vectors[inner], every, weights, bags.seed
    )
    return fitted.predict(bags.vectors[outer]).reshape(len(outer), len(labels), -1)


def _score(fields: Fields, found: Floats) -> float:
    """Mean over classes of the average precision of fields by their best cell; NaN without any."""
    return _mean_precision(fields.given, fields.best(found.astype(np.float64)))


def _of_cells(shows: Flags, found: Floats) -> float:
    """How well judged cells are ranked: mean of each class by itself and of all classes at once.

    A class has few judged cells that show it, so that the first alone depends much on the draw.
    """
    together = average_precision(shows.reshape(-1), found.reshape(-1).astype(np.float64))
    return (_mean_precision(shows, found) + together) / 2


def _mean_precision(shows: Flags, found: Floats64 | Floats) -> float:
    """Mean over classes of the average precision, of those that some have and some have not."""
    count = shows.sum(0)
    asked = np.flatnonzero((count >= _FEWEST) & (len(shows) - count >= _FEWEST))
    each = [average_precision(shows[:, k], found[:, k].astype(np.float64)) for k in asked]
    return float(np.mean(each)) if each else float("nan")
