"""Labels made once for each fold, without the labels of its fields.

A labeller that learns in rounds lets every field's label take part in the labels of all cells. What
a model of the other folds learns from them has then met the fold it leaves out, and the fold's
figures are too good. So each fold gets labels of its own, made of the other folds alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import INHERITED, Bags, CellLabels, Flags, Floats, Labeller
from cellwise.errors import PreflightError
from cellwise.stages.label._twins import twins_of


def labels_without_folds(
    bags: Bags,
    fold: npt.NDArray[np.int64],
    labeller: Labeller,
    report: Callable[[int, int], None],
) -> tuple[CellLabels, dict[int, Floats]]:
    """What each cell shows, as the mean over the folds it does not lie in; and fold by fold.

    Args:
        bags: The cells of all labelled fields.
        fold: `[site]`, the fold of each field, -1 for none; there are at least two.
        labeller: What makes labels of some of the fields.
        report: Told how many folds are done, of how many.

    Returns:
        The labels of all cells, and for each fold labels `[cell, class]` that its fields took no
        part in, NaN in rows of its own cells, and of cells of unlabelled fields that were given
        none. Such a cell weighs what it does in any fold that gave it one.

    Raises:
        PreflightError: The labeller can learn of no fold's others.
    """
    names = [int(name) for name in np.unique(fold[fold >= 0])]
    apart: dict[int, Floats] = {}
    reason = np.full(len(bags.site), INHERITED, object)
    weight = np.ones(len(bags.site), np.float32)
    facts: list[Mapping[str, Any]] = []
    refused: list[PreflightError] = []
    listed = False
    unset = np.ones(len(bags.site), bool)
    for done, name in enumerate(names):
        kept = fold != name
        rows = kept[bags.site]
        apart[name] = np.full((len(rows), bags.field_labels.shape[1]), np.nan, np.float32)
        apart[name][rows] = bags.inherited[rows]
        try:
            some = replace(bags, given=bags.given_without.get(name, bags.given))
            found = labeller(some.of_fields(kept))
        except PreflightError as error:
            # Of two folds one may be too little to learn from: its cells keep the field's labels.
            refused.append(error)
        else:
            taught = _taught(bags, rows, found.weight)
            apart[name][rows] = np.where(taught[:, None], found.label, np.nan)
            # A cell of a field without labels is of no fold: what any fold gave it counts.
            taught |= unset[rows]
            reason[rows] = np.where(taught, np.array(found.reason, object), reason[rows])
            weight[rows] = np.where(taught, found.weight, weight[rows])
            unset[rows] = False
            facts.append(found.facts)
            listed = listed or found.candidates is not None
        report(done + 1, len(names))
    if not facts:
        raise refused[0]
    together = {"made_without_each_of": names, **joined(facts)}
    if "audit" in together:
        # The ends of a mean of intervals are no interval of all cells: the name says what they are.
        together["audit_mean_over_folds"] = together.pop("audit")
    if "never_told_apart" in together:
        # Without one fold classes may look alike that all fields together tell apart.
        twins = twins_of(bags.field_labels, bags.verdict)
        together["never_told_apart"] = twins.names(bags.field_labels, bags.classes)
    if refused:
        together["folds_that_inherit"] = len(refused)
    every = np.stack(list(apart.values()))
    known = np.isfinite(every).all(axis=2).any(axis=0)
    label = np.zeros(every.shape[1:], np.float32)
    label[known] = np.nanmean(every[:, known], axis=0)
    # People look at cells once: what they should look at follows from all labels.
    candidates = labeller(bags).candidates if listed else None
    return CellLabels(label, weight, tuple(reason.tolist()), together, candidates), apart


def _taught(bags: Bags, rows: Flags, weight: Floats) -> Flags:
    """`[row]`: whether the cell has a label: those of fields without labels may be given none."""
    if bags.labelled is None:
        return np.ones(int(rows.sum()), bool)
    return np.asarray(bags.labelled[bags.site[rows]] | (weight > 0))


def joined(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is told of the labels of several folds as one: means of numbers, all that lists hold.

    A fact of some folds only is the mean of those; of words that differ the first are told.
    """
    every: dict[str, list[Any]] = {}
    for fact in facts:
        for name, value in fact.items():
            every.setdefault(name, []).append(value)
    return {name: _one(values) for name, values in every.items()}


def _one(values: list[Any]) -> Any:
    first = next((value for value in values if value is not None), None)
    if isinstance(first, Mapping):
        return joined(values)
    if isinstance(first, list):
        return _listed(values)
    if isinstance(first, int | float):
        return round(float(np.mean([value for value in values if value is not None])), 4)
    return first


def _listed(values: list[list[Any]]) -> list[Any]:
    """What any of the lists holds; rows that end in a number by its mean, the largest first."""
    rows: dict[str, list[Any]] = {}
    for row in (row for value in values for row in value):
        named = row[:-1] if isinstance(row, list) and isinstance(row[-1], float) else row
        rows.setdefault(json.dumps(named), []).append(row)
    found = [
        [*some[0][:-1], round(sum(row[-1] for row in some) / len(values), 4)]
        if isinstance(some[0], list) and isinstance(some[0][-1], float)
        else some[0]
        for some in rows.values()
    ]
    if all(isinstance(row, list) and isinstance(row[-1], float) for row in found):
        found.sort(key=lambda row: (-row[-1], row[:-1]))
        return found[: max(map(len, values), default=0)]
    return found
