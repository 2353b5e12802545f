"""The decision of a run with what people saw of its random draw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.steps import Job
from cellwise.domain.units import group_numbers
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._fit import evidence_of
from cellwise.stages.decide.audited.along import along
from cellwise.stages.decide.audited.cells import judged_cells
from cellwise.stages.decide.audited.fit import AUDITED, Audited, audited
from cellwise.stages.decide.negative.rules import LEARNED, fit_negative
from cellwise.stages.decide.spec import Options
from cellwise.store.run.folder import RunFolder


def audited_decision(
    job: Job,
    options: Options,
    classes: ClassList,
    sites: pl.DataFrame,
    cells: pl.DataFrame,
    logits: npt.NDArray[np.float32],
    clean: npt.NDArray[np.bool_],
    decision: Decision,
) -> Audited:
    """Read the verdicts and fit the decision to them.

    Args:
        job: The step.
        options: Its options.
        classes: The classes of the run.
        sites: One row per site: `labels`, `fold`, `group`.
        cells: One row per cell.
        logits: `[cell, positive class]`, adjusted.
        clean: `[cell]`, whether the cell is scored, and out of fold.
        decision: Fitted to labels of fields.

    Raises:
        PreflightError: The table of verdicts cannot be understood or names no cell of the run.
        FormatError: A file of another kind.
    """
    judged = judged_cells(
        RunFolder(job.run), Path(options.annotations), classes, sites, cells, clean, seed=job.seed
    )
    field = group_numbers([cells["site_id"]], cells["site_id"])
    found = audited(decision, judged, logits, field, by=options.by_cells, negative=options.negative)
    whole = found.decision
    told: dict[str, Any] = ((whole.audit or {}).get("classes") or {}).get(whole.negative) or {}
    if options.negative != LEARNED or not found.parts or told.get("calibration") == AUDITED:
        return found
    # What was learned from fields was learned of the probabilities of before.
    evidence, _ = evidence_of(options, classes, sites, cells, logits, clean)
    said = along(whole.audited_curves, _before(decision, evidence.logits, evidence.field))
    rest = fit_negative(
        LEARNED, lowers=False, chance=said.astype(np.float32), evidence=evidence, has_negative=True
    )
    fit = (rest.temperature, rest.bias)
    parts = tuple(replace(each, negative_fit=fit) for each in found.parts)
    return replace(found, decision=replace(whole, negative_fit=fit), parts=parts)


def _before(
    decision: Decision, logits: npt.NDArray[np.float32], field: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    curve = decision.as_curve
    return np.asarray(np.clip(curve(logits.astype(np.float64), field), 0, 1))
