"""Per class: how much was known, how well cells agree with it, and what that allows to say.

`separation` is the area under the ROC curve (Hanley and McNeil 1982): the chance that a cell from a
field with the label is given a higher probability than a cell from a labelled field without it.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from cellwise.domain.classes import FEWEST_JUDGED
from cellwise.domain.plain_words import counted
from cellwise.measures.separation import separation
from cellwise.stages.report.material import Material

FEWEST_CELLS = 50
# Share of the way from chance to perfect that the lower end of the interval must have gone.
_TRUST = 0.3


@dataclass(frozen=True, slots=True)
class ClassResult:
    """What is known about one class; the first six come from the evaluation of pooled fields.

    Args:
        name: The class.
        value: Average precision over labelled fields, None where it was not computed.
        low, high: Its 95 % interval.
        chance: What guessing would reach: the share of fields that carry the class.
        fields: Labelled fields that carry it.
        others: Labelled fields that do not.
        cells: Cells in those fields.
        precision, recall: Of assigned cells against the field labels.
        separation: See the module.
        judgement: `good`, `care`, `bad` or `few`.
        why: The reason in one sentence.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    chance: float
    fields: int
    others: int
    cells: int
    precision: float | None
    recall: float | None
    separation: float | None
    judgement: str
    why: str


def class_results(material: Material) -> list[ClassResult]:
    """One result per class; empty where nothing is labelled or nothing was predicted."""
    labelled = material.labelled
    if not material.classes or not labelled.height:
        return []
    rows = (material.evaluation.get("sites") or {}).get("classes") or []
    known = {str(row["name"]): row for row in rows}
    return [_result(labelled, name, known.get(name, {})) for name in material.classes]


def _result(labelled: pl.DataFrame, name: str, known: dict[str, Any]) -> ClassResult:
    truth = labelled["field_labels"].list.contains(name).to_numpy().astype(bool)
    assigned = labelled["Labels"].list.contains(name).fill_null(value=False).to_numpy().astype(bool)
    fields = labelled.filter(pl.Series(truth))["site_id"].n_unique()
    others = labelled.filter(pl.Series(~truth))["site_id"].n_unique()
    right = int((truth & assigned).sum())
    chance = fields / (fields + others)
    counts = (fields, others, len(truth))
    judgement, why = judge(known, chance, counts=counts)
    return ClassResult(
        name,
        known.get("value"),
        known.get("low"),
        known.get("high"),
        chance,
        *counts,
        right / int(assigned.sum()) if assigned.any() else None,
        right / int(truth.sum()) if truth.any() else None,
        separation(labelled["Prob_" + name].to_numpy().astype(float), truth),
        judgement,
        why,
    )


def judge(known: dict[str, Any], chance: float, *, counts: tuple[int, int, int]) -> tuple[str, str]:
    """The judgement and its reason.

    Args:
        known: The evaluation's row: `value`, `low`, and `apart`, the reason why it was left out.
        chance: What guessing would reach.
        counts: Fields with the class, fields without, cells in them.
    """
    fields, others, cells = counts
    if fields < FEWEST_JUDGED or others < FEWEST_JUDGED or cells < FEWEST_CELLS:
        return "few", (
            f"{counted(fields, 'labelled fields')} with it, {others} without, "
            f"{counted(cells, 'cells')}: "
            f"at least {FEWEST_JUDGED}, {FEWEST_JUDGED} and {FEWEST_CELLS} are needed."
        )
    n = (
        f"n = {counted(fields, 'fields')} with the label and {others} without, "
        f"{counted(cells, 'cells')}"
    )
    if known.get("apart"):
        return "few", f"Not tested: {known['apart']} ({n})."
    value, low = known.get("value"), known.get("low")
    if value is None or low is None:
        return "care", f"Not tested: no average precision was computed ({n})."
    words = f"average precision {value:.2f}, at least {low:.2f}, guessing {chance:.2f}; {n}."
    skill = (low - chance) / max(1e-9, 1 - chance)
    if skill >= _TRUST:
        return "good", words[0].upper() + words[1:]
    if skill > 0:
        return "care", f"Better than guessing, but not surely by much: {words}"
    return "bad", f"Not shown to be better than guessing: {words}"
