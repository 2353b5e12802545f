"""A decision fitted to judged cells, and what it would be without some of them.

Cells that the curves were fitted to get the probability of curves that were fitted without their
group, as labelled cells get scores of models that left them out: figures on judged cells (an audit,
a calibration error) are then of cells that nothing was fitted to. That is the cross-fitting of
Zrnic and Candès 2024 (PNAS 121: e2322083121).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide.audited.along import along
from cellwise.stages.decide.audited.cells import PARTS, Judged, words_of
from cellwise.stages.decide.audited.curves import Asked, curve_of, nothing_shown
from cellwise.stages.decide.negative.rules import LEARNED

if TYPE_CHECKING:
    from cellwise.contracts.curves import Curve

AUDITED = "audited"

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Audited:
    """What judged cells made of a decision.

    Args:
        decision: For all cells but these.
        parts: For judged cells of each part of them, fitted without that part; empty where
            nothing was fitted.
        judged: The cells.
    """

    decision: Decision
    parts: tuple[Decision, ...]
    judged: Judged

    def of_rows(self, kept: Flags) -> "Audited":
        """The same for the rows of a table that only some of the cells are in, all judged ones."""
        place = np.cumsum(kept) - 1
        return replace(self, judged=replace(self.judged, row=place[self.judged.row]))

    def apart(self, chance: Floats32, logits: Floats32, field: Numbers) -> Floats32:
        """`[cell, class]` probabilities, those of judged cells by decisions without their part.

        Args:
            chance: What the decision says of all cells.
            logits: `[cell, positive class]`.
            field: `[cell]`, a number for the field of each.
        """
        found = chance.copy()
        for number, decision in enumerate(self.parts):
            rows = self.judged.row[self.judged.part == number]
            if len(rows):
                # Whole fields: some curves scale a score within its own.
                near = np.flatnonzero(np.isin(field, field[rows]))
                said = decision.probabilities(logits[near], field[near])
                found[rows] = said[np.searchsorted(near, rows)]
        return found


def audited(
    decision: Decision,
    judged: Judged,
    logits: Floats32,
    field: Numbers,
    *,
    by: str | dict[str, Any],
    negative: str,
) -> Audited:
    """The decision with curves of all classes that enough cells were judged of.

    Args:
        decision: Fitted to labels of fields.
        judged: What people saw.
        logits: `[cell, positive class]` of all cells.
        field: `[cell]`, a number for the field of each.
        by: A decider that takes weights.
        negative: The rule of the negative class as it was asked for; a rule that was not asked for
            makes way for `learned`.

    Raises:
        BadOption: The negative class lowers the others, which would not be audited any more.
    """
    if decision.negative_lowers:
        raise BadOption(
            "decide: 'negative_lowers_others' changes probabilities after they were fitted to "
            "judged cells. Leave it or 'annotations' out."
        )
    chance = _before(decision, judged, logits, field)
    whole = _fitted(decision, judged, chance, by, negative, None)
    if not whole.audited_curves:
        return Audited(whole, (), judged)
    parts = tuple(
        _fitted(decision, judged, chance, by, negative, judged.part != number, like=whole)
        for number in range(PARTS)
    )
    return Audited(whole, parts, judged)


def _before(decision: Decision, judged: Judged, logits: Floats32, field: Numbers) -> Floats:
    """`[judged cell, class]`: what was fitted to fields says of judged cells."""
    near = np.flatnonzero(np.isin(field, field[judged.row]))
    said = np.clip(decision.as_curve(logits[near].astype(np.float64), field[near]), 0, 1)
    return np.asarray(said[np.searchsorted(near, judged.row)])


def _fitted(
    decision: Decision,
    judged: Judged,
    chance: Floats,
    by: str | dict[str, Any],
    negative: str,
    rows: Flags | None,
    like: Decision | None = None,
) -> Decision:
    """The decision fitted to some of the judged cells; classes of `like` only, where given."""
    names = decision.class_list.positive
    told: dict[str, dict[str, Any]] = {}
    curves: list[Curve | None] = []
    for column, name in enumerate(names):
        asked = judged.asked(column)
        why = judged.why or asked.too_few()
        wanted = not why and (like is None or like.audited_curves[column] is not None)
        curve = curve_of(by, chance[:, column], asked, rows) if wanted else None
        if not why and curve is None:
            why = "the decider found too little in the judged cells"
        curves.append(curve)
        told[name] = _told(asked, decision.calibration if curve is None else AUDITED, why)
    found = decision
    if any(curve is not None for curve in curves):
        found = replace(decision, audited_curves=tuple(curves))
    found, one = _with_negative(found, judged, along(curves, chance), negative, rows)
    told |= one
    kinds = {one["calibration"] for one in told.values()}
    word = AUDITED if kinds == {AUDITED} else decision.calibration
    facts = {**words_of(judged), "classes": told}
    return replace(found, calibration=word, audit=facts)


def _with_negative(
    decision: Decision, judged: Judged, chance: Floats, negative: str, rows: Flags | None
) -> tuple[Decision, dict[str, dict[str, Any]]]:
    """The decision with the negative class fitted to judged cells where it can be, and facts."""
    name = decision.negative
    if name is None:
        return decision, {}
    asked = judged.none()
    flipped = Asked(1 - asked.shows, asked.weight, asked.group)
    why = judged.why or flipped.too_few()
    if not why and not all(decision.audited_curves or (None,)):
        why = "it follows from the other classes, and not all of them are audited"
    if not why and negative not in ("", LEARNED):
        why = f"it follows from the others by the rule {negative!r}"
    fit = None if why else nothing_shown(chance, asked, rows)
    if fit is None:
        why = why or "the judged cells are all alike"
        return decision, {name: _told(flipped, decision.calibration, why)}
    found = replace(decision, negative_rule=LEARNED, negative_fit=fit)
    return found, {name: _told(flipped, AUDITED, "")}


def _told(asked: Asked, calibration: str, why: str) -> dict[str, Any]:
    return {"calibration": calibration, **asked.told(), **({"why": why} if why else {})}
