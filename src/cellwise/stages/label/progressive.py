"""Cells of fields without a label: of each class those that show it most get it, more each round.

Let q be the share of labelled cells that show a class, and U the cells of unlabelled fields. Of
these, `fraction * q * U` are given the class: those with the highest score. So each class grows as
far as labelled fields say that it occurs, and a frequent class does not crowd out a rare one.
Showing none is treated as a class whose score is 1 less the highest of the others. A cell may be
given several classes; classes that it is not given keep the chance that its score says. Cells that
are given nothing are `unassigned` and teach nothing.

Scores are a network's (`from`), those of unlabelled fields as means of all its models: then each
round is a train, a score and a label step with a larger `fraction`. Or a learner makes them here,
of the vectors of an embed step (`embeddings`), `rounds` times, `fraction` growing by `growth` each
time: it learns from labelled cells and from what was given in the round before.

Labelled cells have the labels of an earlier step (`labels`), or those they inherit, and keep them.
`train: {unlabelled: true}` lets the others teach. How many cells each class was given in each round
stands in the step's record and in the report.

Source: the progressive pseudo-labels of Sypetkowski (1st of RxRx1 2019: the surest 40 % of the
wells, then 1.5 % more each epoch); a growing share of each class is the curriculum labelling of
Cascante-Bonilla et al. 2021 (arXiv 2001.06001), its parts by the class those of Zou et al. 2018
(arXiv 1810.07911).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from cellwise.contracts.labeller import (
    INHERITED,
    SUPPORTED,
    UNASSIGNED,
    Bags,
    CellLabels,
    Flags,
    Floats,
    Labeller,
)
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.learners import kernel_ridge
from cellwise.stages.label._cells import weights
from cellwise.stages.label._learned import blocks_of, measured

NEEDS = ("scores", "rounds", "start", "unlabelled")

# So that a tenth of ten cells is one, however the product rounds.
_ROUNDING = 1e-9
# Each learns anew; a number beyond is a slip of the key.
_MOST_ROUNDS = 100


def build(
    fraction: float = 0.2,
    growth: float = 0.2,
    rounds: int = 1,
    weight: float = 1.0,
    border: float = 1.0,
    tiny: float = 1.0,
) -> Labeller:
    """Make the labeller; labelled cells without a vector or score keep their label.

    Args:
        fraction: In 0..1, above 0; share of the cells of a class that get it in the first round.
        growth: At least 0; how much larger the share is in each further round, up to 1.
        rounds: Of learning and labelling where labels are learned from vectors, 1..100; of scores
            one.
        weight: In training, of a cell that was given a class, above 0.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
    """
    if not 0 < fraction <= 1 or growth < 0:
        raise BadOption(
            f"label progressive: fraction lies in 0..1 and above 0, not {fraction}, and growth is "
            f"not negative, as {growth} is."
        )
    if not 1 <= rounds <= _MOST_ROUNDS or weight <= 0 or min(border, tiny) < 0:
        raise BadOption(
            f"label progressive: rounds lies in 1..{_MOST_ROUNDS}, weight above 0, border and tiny "
            "not negative."
        )
    shares = tuple(min(1.0, fraction + growth * number) for number in range(rounds))

    def progressive(bags: Bags) -> CellLabels:
        if bags.vectors is None and rounds > 1:
            raise BadOption(
                "label progressive: of scores there is one round; for another one train, score "
                "and label again with a larger fraction, or name vectors with 'embeddings'."
            )
        cells = _cells(bags)
        found = _rounds(bags, cells, shares)
        label = cells.start.copy()
        label[cells.open] = found[-1].label if found else 0
        given = np.zeros(len(label), bool)
        given[cells.open] = found[-1].chosen.any(axis=1) if found else False
        kept = INHERITED if bags.given is None else SUPPORTED
        reason = np.where(cells.labelled, kept, np.where(given, SUPPORTED, UNASSIGNED))
        counts = np.where(cells.labelled, 1.0, np.where(given, weight, 0.0))
        return CellLabels(
            np.clip(label, 0, 1).astype(np.float32),
            (counts * weights(bags, border=border, tiny=tiny)).astype(np.float32),
            tuple(reason.tolist()),
            _facts(bags, cells, found, shares),
        )

    return progressive


@dataclass(frozen=True, slots=True)
class _Cells:
    """Which cells are labelled, which are open to labels, and what labelled ones show."""

    labelled: Flags
    open: npt.NDArray[np.int64]
    start: Floats


@dataclass(frozen=True, slots=True)
class _Round:
    """`[open cell, class + 1]` what was given, the last column for none; and the labels."""

    chosen: Flags
    label: Floats


def _cells(bags: Bags) -> _Cells:
    """Cells that are open have a vector or a score."""
    labelled = np.ones(len(bags.site), bool)
    if bags.labelled is not None:
        labelled = np.asarray(bags.labelled[bags.site])
    if bags.vectors is not None:
        known = measured(bags)
    elif bags.scores is not None:
        known = np.asarray(np.isfinite(bags.scores).all(axis=1))
    else:
        raise BadOption("label progressive: needs 'from: <score step>' or 'embeddings: <step>'.")
    start = bags.inherited
    if bags.given is not None:
        said = labelled & np.isfinite(bags.given).all(axis=1)
        start = np.where(said[:, None], bags.given, start).astype(np.float32)
    return _Cells(labelled, np.flatnonzero(~labelled & known), start)


def _rounds(bags: Bags, cells: _Cells, shares: tuple[float, ...]) -> list[_Round]:
    """What each round gave; none where no cell is open.

    Raises:
        PreflightError: No labelled cell says how many cells show a class.
    """
    if not len(cells.open):
        return []
    if not cells.labelled.any():
        raise PreflightError("label progressive: no field has a label to learn from.")
    shown = cells.start[cells.labelled].astype(np.float64)
    none = 1 - shown.max(axis=1, initial=0)
    expected = np.append(shown.mean(axis=0), none.mean()) * len(cells.open)
    if bags.vectors is None:
        assert bags.scores is not None
        chance = expit(bags.scores[cells.open]).astype(np.float32)
        return [_given(chance, expected * shares[0])]
    learner = kernel_ridge.build(blocks=blocks_of(bags))
    own = np.flatnonzero(cells.labelled & measured(bags))
    found: list[_Round] = []
    for share in shares:
        rows, labels = own, cells.start[own]
        if found:
            taught = found[-1].chosen.any(axis=1)
            rows = np.append(own, cells.open[taught])
            labels = np.concatenate([labels, found[-1].label[taught]])
        even = np.ones(len(rows), np.float32)
        fitted = learner.fit(bags.vectors[rows], labels, even, bags.seed)
        found.append(_given(fitted.predict(bags.vectors[cells.open]), expected * share))
    return found


def _given(chance: Floats, wanted: npt.NDArray[np.float64]) -> _Round:
    """The highest of each class, so many as are wanted, and their labels."""
    every = np.append(chance, 1 - chance.max(axis=1, keepdims=True, initial=0), axis=1)
    chosen = np.zeros(every.shape, bool)
    for column, count in enumerate(np.ceil(wanted - _ROUNDING).astype(int)):
        best = np.argsort(-every[:, column], kind="stable")[: max(count, 0)]
        chosen[best, column] = True
    label = np.where(chosen[:, :-1], 1, chance)
    # Who is given nothing but "none" shows none of the classes.
    label[chosen[:, -1] & ~chosen[:, :-1].any(axis=1)] = 0
    return _Round(chosen, label.astype(np.float32))


def _facts(
    bags: Bags, cells: _Cells, found: list[_Round], shares: tuple[float, ...]
) -> dict[str, Any]:
    """For the record: of each round the share, and the cells of each class and of none."""
    names = (*bags.classes, "none of them") if bags.classes else ()
    rounds = {
        f"round {number}": {
            "fraction": round(share, 4),
            "given": int(one.chosen.any(axis=1).sum()),
            "of_class": {
                name: int(n) for name, n in zip(names, one.chosen.sum(axis=0), strict=False) if n
            },
        }
        for number, (share, one) in enumerate(zip(shares, found, strict=False), 1)
    }
    return {
        "method": "progressive",
        "unlabelled_cells": int((~cells.labelled).sum()),
        "given_in_rounds": rounds,
    }
