"""Decide: scores become probabilities and labels of cells, and shares of wells.

Reads cells, sites, folds and scores; fits on labelled out-of-fold cells (or takes the decision of a
finished run), where asked also on cells that people judged and chance drew. Writes
`decisions/<step>.json`, `predictions.parquet` and, where wells exist, `predictions_well.parquet`
and `wells.parquet`. A step with another name than `decide` writes
`predictions_<step>.parquet` and so on, so that a control model stands beside the main one.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.adjuster import LabelSets
from cellwise.domain.classes import ClassList
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import CELLS, PREDICTIONS
from cellwise.domain.units import WELL, group_numbers
from cellwise.errors import BadOption, FormatError
from cellwise.registry import split_spec
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._fit import evidence_of, fit_decision, fitted_by
from cellwise.stages.decide._joined import Given, Joined, fit_joined, groups_of
from cellwise.stages.decide._predictions import beside, predictions_frame, write_predictions
from cellwise.stages.decide._score_rows import scores_of, sites_of, views_of_steps
from cellwise.stages.decide._scores import Scores, adjusted_scores
from cellwise.stages.decide.adjust import adjusters
from cellwise.stages.decide.audited.decision import audited_decision
from cellwise.stages.decide.blend.weighed import as_fitted, weighed
from cellwise.stages.decide.context.label_sets import label_sets, sets_of_json, sets_to_json
from cellwise.stages.decide.context.worth import (
    Adjust,
    context_counts,
    forced,
    is_used,
    without,
    worth,
)
from cellwise.stages.decide.negative.foresight import foresee as foresee
from cellwise.stages.decide.spec import Options
from cellwise.stages.decide.wells.shares import Wells, find_wells
from cellwise.stages.decide.wells.written import write_wells
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

_KEY = ["site_id", "cell_id"]

Floats32 = npt.NDArray[np.float32]


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse a name whose table would be that of another.

    Raises:
        BadOption: The step is named as the table of wells is.
    """
    if job.name == WELL or job.name.startswith(f"{WELL}_"):
        raise BadOption(
            f"decide: a step called {job.name!r} would write over the table of wells, "
            "predictions_well.parquet. Give it another name with 'as:'."
        )


# Deciders that learn from fields of one label, alone or in a mixture.
_OF_SINGLE_LABELS = ("boosting", "isotonic", "mixture")


def key_parts(options: dict[str, Any], device: str) -> list[str]:
    """What results depend on beside the options: which fields are a sample, curves of how many."""
    parts = ["samples by protein and gene too"] if options.get("adjust") else []
    asked = f"{options.get('by')} {options.get('calibrate')}"
    if any(name in asked for name in _OF_SINGLE_LABELS):
        parts.append("curves of ten fields at least")
    return parts


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write decision, predictions and wells; returns counts.

    Raises:
        FormatError: Scores over other classes than the run's.
        BadOption: A threshold for a class that does not exist.
    """
    options = Options.of(job.options)
    run = RunFolder(job.run)
    fitted = None if job.fitted is None else _stored(RunFolder(job.fitted), job.name)
    classes = _classes(run) if fitted is None else fitted.class_list
    sites = sites_of(run)
    cells = read_table(run.cells, CELLS).sort(_KEY)
    report(0, 2, f"{len(cells)} cells")

    def scores(name: str) -> pl.DataFrame:
        return scores_of(run, name, classes.positive)

    options, variability = weighed(options, fitted, scores, cells, classes.positive)
    asked = _sets(options, sites, classes, fitted)
    joined = _joined(job, options, cells, sites, classes, fitted)
    groups = groups_of(sites, cells, options.per)

    def scored_by(adjust: Adjust) -> tuple[Floats32, npt.NDArray[np.bool_], LabelSets | None]:
        return adjusted_scores(
            scores, cells, classes.positive,
            names=options.scores, fields=options.fields, adjust=adjust, sites=sites, sets=asked,
            combine=joined.combination.of(_numbers(cells), groups),
        )  # fmt: skip

    logits, unseen, sets = scored_by(options.adjust)
    scored = np.isfinite(logits).all(axis=1)
    clean = np.asarray(scored & unseen)
    fields = _numbers(cells)
    decision = fitted or replace(
        fit_decision(options, classes, sites, cells, logits, clean, joined),
        variability=variability,
    )
    if fitted is None and sets is not None:

        def said_by(adjust: Adjust) -> Floats32:
            each = scored_by(adjust)[0]
            found = fit_decision(options, classes, sites, cells, each, clean, joined)
            return found.probabilities(each, fields)

        told = _worth(options, said_by, sites, classes, cells, clean, sets, seed=job.seed)
        decision = replace(decision, sets=told)
    judged = None
    if fitted is None and options.annotations:
        judged = audited_decision(job, options, classes, sites, cells, logits, clean, decision)
        decision = judged.decision
    cells, logits = cells.filter(pl.Series(scored)), logits[scored]
    report(1, 2, "probabilities")
    chance = decision.probabilities(logits, fields[scored])
    if judged is not None:
        chance = judged.of_rows(np.asarray(scored)).apart(chance, logits, fields[scored])
    wells = _write(run, job, cells, sites, chance, decision)
    report(2, 2, "done")
    return {
        "cells": len(cells),
        "unscored": int((~scored).sum()),
        "wells": 0 if wells is None else len(wells.table),
        "fields_used": decision.n_fields,
        **context_counts(decision.sets),
        **({} if decision.audit is None else {"audit": decision.audit}),
    }


def _write(
    run: RunFolder,
    job: Job,
    cells: pl.DataFrame,
    sites: pl.DataFrame,
    chance: Floats32,
    decision: Decision,
) -> Wells | None:
    """Write the decision and the tables that follow from it; returns the wells."""
    write_text(run.decision(job.name), json.dumps(decision.to_json(), indent=1, ensure_ascii=False))
    frame = predictions_frame(cells, sites, chance, decision)
    write_predictions(beside(run.predictions, job.name), PREDICTIONS, frame, chance, decision)
    wells = find_wells(cells, sites, chance, decision)
    write_wells(run, job, wells, decision)
    return wells


def _worth(
    options: Options,
    said_by: Callable[[Adjust], Floats32],
    sites: pl.DataFrame,
    classes: ClassList,
    cells: pl.DataFrame,
    clean: npt.NDArray[np.bool_],
    sets: LabelSets,
    *,
    seed: int,
) -> dict[str, Any]:
    """Which labels go together, and what taking that in was worth, as a decision holds it."""
    plain, taken = (said_by(each) for each in (without(options.adjust), forced(options.adjust)))
    told = worth(sites, classes, cells["site_id"], clean, (plain, taken), seed=seed)
    return {**sets_to_json(sets), "used": is_used(options.adjust, sets), "labelled": told}


def whole(job: Job, counts: dict[str, Any]) -> bool:
    """Whether the table of wells is there, where there are wells.

    Their predictions are not asked for: runs of before have none.
    """
    return not counts.get("wells") or beside(RunFolder(job.run).wells, job.name).is_file()


def decide_cells(
    options: dict[str, Any], name: str, home: RunFolder, cells: pl.DataFrame, scores: Scores
) -> pl.DataFrame:
    """Rows of the predictions table of new cells by the decision of a finished run; writes nothing.

    Args:
        options: Those of the decide step.
        name: Its name.
        home: The finished run.
        cells: Rows of the cell table, of sites without labels and metadata.
        scores: The rows of a score set by its name.

    Raises:
        FormatError: The run has no such decision.
    """
    decision = _stored(home, name)
    chosen = as_fitted(Options.of(options), decision)
    sites = (
        cells.select("site_id")
        .unique()
        .with_columns(
            part=pl.lit("unlabelled"),
            labels=pl.lit(None, dtype=pl.List(pl.String)),
            fold=pl.lit(None, dtype=pl.Int32),
        )
    )
    logits, _, _ = adjusted_scores(
        # No model has seen a new cell, and none left it out.
        lambda each: scores(each).with_columns(out_of_fold=pl.lit(value=False)),
        cells,
        decision.class_list.positive,
        names=chosen.scores,
        fields=chosen.fields,
        adjust=tuple(chosen.adjust),
        # Groups are told by metadata, which a new field in memory has none of.
        combine=decision.combination.of(_numbers(cells), [None] * len(cells)),
        sites=sites,
        sets=_sets(chosen, sites, decision.class_list, decision),
    )
    scored = np.isfinite(logits).all(axis=1)
    chance = decision.probabilities(logits[scored], _numbers(cells)[scored])
    return predictions_frame(cells.filter(pl.Series(scored)), sites, chance, decision)


def score_names(options: dict[str, Any]) -> tuple[str, ...]:
    """The score sets that a decide step reads, each once."""
    chosen = Options.of(options)
    return tuple(dict.fromkeys((*chosen.scores, *chosen.fields)))


def _joined(
    job: Job,
    options: Options,
    cells: pl.DataFrame,
    sites: pl.DataFrame,
    classes: ClassList,
    fitted: Decision | None,
) -> Joined:
    """How the score steps become one, fitted to what each says by itself, or as it was."""
    if fitted is not None:
        return Joined(fitted.combination)
    run = RunFolder(job.run)
    if options.per and options.per not in sites.columns:
        there = [name for name in sites.columns if name.startswith("Metadata_")]
        raise BadOption(
            f"decide: per names a metadata column, and there is no {options.per!r}; "
            f"there are: {', '.join(there) or 'none'}."
        )
    given = Given(
        cells, sites, lambda name: scores_of(run, name, classes.positive),
        classes.positive, views_of_steps(run) if options.weights == "views" else {},
    )  # fmt: skip
    return fit_joined(
        options,
        given,
        lambda values, clean: evidence_of(options, classes, sites, cells, values, clean)[0],
        fitted_by,
    )


def _classes(run: RunFolder) -> ClassList:
    listed = read_json(run.reading)["classes"]
    return ClassList(tuple(listed["names"]), listed["negative"])


def _numbers(cells: pl.DataFrame) -> npt.NDArray[np.int64]:
    """`[cell]`, a number for the field of each."""
    return group_numbers([cells["site_id"]], cells["site_id"])


def _stored(run: RunFolder, name: str) -> Decision:
    path = run.decision(name)
    if not path.is_file():
        raise FormatError(f"{path} is missing: the finished run has no decision {name!r} to apply.")
    return Decision.from_json(read_json(path))


def _sets(
    options: Options, sites: pl.DataFrame, classes: ClassList, fitted: Decision | None
) -> LabelSets | None:
    """Which labels go together, where an adjuster asks: of these fields, or as it was fitted."""
    asked = (adjusters.page(split_spec(spec)[0]).needs for spec in options.adjust)
    if not any("sets" in needs for needs in asked):
        return None
    if fitted is None:
        return label_sets(sites, classes.positive)
    return None if fitted.sets is None else sets_of_json(fitted.sets)
