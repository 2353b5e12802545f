"""Cells whose score passes a threshold get that one label; all others are set apart.

Of a field's labels those pass in a cell whose chance is at least `least`. Where one passes, the
cell gets it, alone and whole. Where several pass, the best one is given if it is ahead of the next
by `margin`. All other cells are `unassigned`: a class of their own that is kept in the table, and
teaches nothing unless `unassigned` gives it a weight; then it is the answer "none of the classes".
Cells of fields without any label show none. No cell gets a label that its field was not given.

Chances are the logistic function of the scores, as those of `cam_share` (the share of the class
map's maximum) and of networks whose classes stand alone; or, with `exclusive`, the softmax over all
classes and "none", as of networks learned with the loss `softmax`.

In a later cycle (`labels: <label step>`) cells keep what the earlier one gave them, and only those
that it set apart are judged: from cycle to cycle the labelled cells grow. How many of each class
there are stands in the step's record and in the report.

Source: the HPA 2021 system of AiRLab (cjf8899): cells whose heat map passes a fixed level get the
label, others a separate class; 60,000 and then 80,000 of 490,000 cells in its two cycles. It does
not say the level nor what is read under a mask: ours are 0.5 of the map's maximum by the mean over
the cell, and 0.8 of the cell network in the second cycle.
"""

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
from cellwise.stages.label._cells import answers, weights

NEEDS = ("scores", "start")

Numbers = npt.NDArray[np.int64]

# No class: in place of the number of one.
_NONE = -1


def build(
    least: float = 0.5,
    margin: float = 1.0,
    unassigned: float = 0.0,
    border: float = 1.0,
    tiny: float = 1.0,
    *,
    exclusive: bool = False,
) -> Labeller:
    """Make the labeller; cells without a score are unassigned.

    Args:
        least: In 0..1, above 0; a class passes from this chance on.
        margin: In 0..1; how far the best of several passing classes must be ahead of the next. At 1
            several never give a label.
        unassigned: Weight in training of cells set apart, at least 0.
        border: Weight of cells at the edge, as in `inherit`.
        tiny: Weight of tiny cells, as in `inherit`.
        exclusive: Whether scores are of classes that exclude each other.
    """
    if not 0 < least <= 1 or not 0 <= margin <= 1:
        raise BadOption(
            f"label threshold: least lies in 0..1 and above 0, margin in 0..1, not {least} and "
            f"{margin}."
        )
    if min(unassigned, border, tiny) < 0:
        raise BadOption("label threshold: weights are not negative.")

    def threshold(bags: Bags) -> CellLabels:
        if bags.scores is None:
            raise BadOption("label threshold: needs scores; name them: 'from: <score step>'.")
        chance = _chances(bags, exclusive=exclusive)
        found = _passed(chance, bags.inherited > 0, least=least, margin=margin)
        label = np.zeros(bags.inherited.shape, np.float32)
        label[found != _NONE, found[found != _NONE]] = 1
        kept = _kept(bags)
        if bags.given is not None:
            label[kept] = bags.given[kept]
        negative = ~bags.field_labels[bags.site].any(axis=1)
        labelled = label.any(axis=1)
        scored = np.isfinite(bags.scores).all(axis=1)
        if scored.any() and not labelled.any() and not negative.all():
            raise PreflightError(
                f"label threshold: no cell has a class that reaches {least:g}, so that nothing is "
                "learned. Set 'least' lower, or train longer what gives the scores."
            )
        apart: Flags = np.asarray(~labelled & ~negative)
        weight = weights(bags, border=border, tiny=tiny)
        return CellLabels(
            label,
            np.where(apart, weight * unassigned, weight).astype(np.float32),
            tuple(np.where(negative, INHERITED, np.where(apart, UNASSIGNED, SUPPORTED)).tolist()),
            _facts(bags, label, chance, kept, apart, least=least),
        )

    return threshold


def _chances(bags: Bags, *, exclusive: bool) -> Floats:
    """`[cell, class]` in 0..1, 0 in rows of cells without a score."""
    assert bags.scores is not None
    if exclusive:
        return answers(bags, sharpen=1.0, none=True, restricted=False)[:, :-1]
    scored = np.isfinite(bags.scores).all(axis=1, keepdims=True)
    return np.where(scored, expit(np.where(scored, bags.scores, 0)), 0).astype(np.float32)


def _passed(chance: Floats, own: Flags, *, least: float, margin: float) -> Numbers:
    """`[cell]`: the one class that a cell is given, -1 for none."""
    # Logits of shares round in the last digits.
    passing = own & (chance >= np.float32(least) - np.float32(1e-6))
    if not chance.shape[1]:
        return np.full(len(chance), _NONE)
    ranked = np.where(passing, chance, -1.0)
    best = ranked.argmax(axis=1)
    first = ranked[np.arange(len(ranked)), best]
    ranked[np.arange(len(ranked)), best] = -1.0
    ahead = first - ranked.max(axis=1)
    count = passing.sum(axis=1)
    clear = (count == 1) | ((count > 1) & (ahead >= margin) & (margin < 1))
    return np.where(clear, best, _NONE).astype(np.int64)


def _kept(bags: Bags) -> Flags:
    """`[cell]`: whether an earlier cycle gave the cell a label."""
    if bags.given is None:
        return np.zeros(len(bags.site), bool)
    return np.asarray((np.nan_to_num(bags.given) > 0).any(axis=1))


def _facts(
    bags: Bags, label: Floats, chance: Floats, kept: Flags, apart: Flags, *, least: float
) -> dict[str, Any]:
    """For the record: cells of each class in this cycle and the one before, and those set apart."""
    several = ((chance >= least) & (bags.inherited > 0)).sum(axis=1) > 1

    def counted(cells: Flags) -> dict[str, int]:
        shown = (label[cells] > 0).sum(axis=0)
        given = np.asarray(bags.field_labels.any(axis=0))
        return {
            name: int(n) for name, n, some in zip(bags.classes, shown, given, strict=False) if some
        }

    facts: dict[str, Any] = {
        "method": "threshold",
        "labelled": int(label.any(axis=1).sum()),
        "labelled_of_class": counted(np.ones(len(label), bool)),
        "several_passed": int((apart & several).sum()),
    }
    if bags.given is not None:
        facts |= {"labelled_before": int(kept.sum()), "labelled_before_of_class": counted(kept)}
    return facts
