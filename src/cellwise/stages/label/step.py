"""Label: cells of labelled fields get soft labels from the field's labels and, if asked, scores.

Reads `sites.parquet`, `cells.parquet` and, for labellers that need them, out-of-fold scores,
vectors of an embed step, labels of an earlier one, or masks and a truth folder; writes
`labels/<step>.parquet` over the positive classes, and `labels/<step>.candidates.parquet` where the
labeller says what a person should look at. What people said of cells (`annotations`) stands in
place of what a labeller says, and is kept in the run's `annotations/`. Cells of unlabelled and of
test fields are not in it, unless the labeller is one for these.
Fields that a step `curate` keeps from teaching teach no labeller that learns from other cells.
Labels that are learned from vectors are made once for each fold, without its fields: the model that
leaves the fold out learns from these, and the fields' own figures are of fields that nothing was
learned from.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.labeller import Bags, CellLabels, Floats
from cellwise.domain.classes import ClassList
from cellwise.domain.held_out import label_without
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import CELLS, LABELS
from cellwise.domain.trial import Trial
from cellwise.domain.units import CELL, SAMPLE, SITE, bag_numbers, group_numbers
from cellwise.errors import FormatError, PreflightError
from cellwise.registry import split_spec
from cellwise.stages.label import labellers
from cellwise.stages.label._by_hand import with_people, with_verdicts
from cellwise.stages.label._candidates import write_candidates
from cellwise.stages.label._fields import (
    labelled_bags,
    of_teaching_fields,
    silent_cells,
    with_unlabelled,
)
from cellwise.stages.label._given import given_labels
from cellwise.stages.label._per_fold import labels_without_folds
from cellwise.stages.label._truth import true_labels
from cellwise.stages.label.spec import Options
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.joined import open_embeddings
from cellwise.store.run.reader import RunReader, labels_matrix
from cellwise.store.run.tables import read_table, write_table

_KEY = ["site_id", "cell_id"]
# Labels are made once without each fold; so many are split into where nothing else is said.
_FOLDS = 5


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse what the labeller cannot be made with, before any work.

    Raises:
        BadOption: With the option and what it may be.
    """
    labellers.build(options["by"])


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write the labels; returns counts.

    Raises:
        PreflightError: The scores of labelled fields are not out of fold, or the truth is not that
            of these fields.
        FormatError: The scores are over other classes.
    """
    options = Options.of(job.options)
    run = RunFolder(job.run)
    listed = read_json(run.reading)["classes"]
    every = ClassList(tuple(listed["names"]), listed["negative"])
    classes = every.positive
    tables = RunReader(run)
    folds = tables.folds().select("site_id", "fold")
    sites = tables.labelled_sites()
    if options.takes_unlabelled:
        sites = with_unlabelled(sites, tables.sites(), test_part=options.test_part)
    sites = sites.join(folds, on="site_id", how="left", maintain_order="left")
    cells = read_table(run.cells, CELLS, columns=[*_KEY, "border", "flags"])
    cells = cells.join(sites.select("site_id"), on="site_id", how="semi").sort(_KEY)
    labelled = int((sites["labels"].list.len() > 0).sum())
    report(0, 1, f"{len(cells)} cells of {labelled} labelled fields")
    bags = _bags(sites, cells, classes, _level(options))
    if options.takes_unlabelled:
        bags = replace(bags, labelled=labelled_bags(bags, sites, cells))
    if options.from_:
        free = sites.filter(pl.col("labels").list.len() == 0)["site_id"]
        scores, model = _scores(run, options.from_, cells, classes, free)
        bags = replace(bags, scores=scores, model=model)
    if options.embeddings:
        alike = "vectors" not in labellers.page(split_spec(options.by)[0]).needs
        bags = _with_vectors(bags, run, options.embeddings, cells, seed=job.seed, alike=alike)
    if options.labels:
        given, without = given_labels(run, options.labels, cells, classes)
        bags = replace(bags, given=given, given_without=without)
    if options.truth:
        known = true_labels(run, Path(options.truth), cells, classes)
        bags = replace(bags, truth=known, seed=job.seed)
    told: dict[str, Any] = {}
    if options.annotations:
        bags, told = with_people(bags, run, options, cells, every)
    labeller = labellers.build(options.by)
    if options.learns:
        bags = replace(bags, silent=silent_cells(run, cells))
        labeller = of_teaching_fields(labeller)
    fold = _folds_of_bags(bags, cells, sites) if _apart(options, bags) else None
    if fold is None:
        found, apart = labeller(bags), dict[int, Floats]()
    else:
        found, apart = labels_without_folds(
            bags, fold, labeller, lambda done, total: report(done, total, "labels without one fold")
        )
    if bags.verdict is not None:
        found, apart = with_verdicts(found, apart, bags.verdict, options.judged_weight)
    write_candidates(run, job.name, cells, classes, found.candidates)
    _write(run, job.name, cells, classes, found, apart)
    report(1, 1, "done")
    reasons, counts = np.unique(np.array(found.reason, dtype=object), return_counts=True)
    return {
        "fields": labelled,
        **({"unlabelled_fields": len(sites) - labelled} if options.takes_unlabelled else {}),
        "cells": len(cells),
        **{str(r): int(n) for r, n in zip(reasons, counts, strict=True)},
        **found.facts,
        **told,
    }


def _apart(options: Options, bags: Bags) -> bool:
    """Whether labels made without a fold are such: nothing that it starts from has met the fold."""
    if not options.embeddings or options.from_ or bags.maker is not None:
        return False
    return not options.labels or bool(bags.given_without)


def _level(options: Options) -> str:
    """Whose cells share out a label, as said or as suits what the labeller judges by."""
    return options.level or (SAMPLE if options.takes_samples else SITE)


def key_parts(options: dict[str, Any], device: str) -> list[str]:
    """How labels that are learned from evidence are made, beside the options."""
    needs = labellers.page(split_spec(options["by"])[0]).needs
    if "evidence" not in needs:
        return []
    judged = ["verdicts in every round"] if options.get("annotations") else []
    return ["without each fold, one state leant on, rare classes less", *judged]


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core: of labellers that learn from vectors, what their learners take."""
    options = Options.of(job.options)
    if not options.embeddings or trial.classes is None:
        return 0.0
    from cellwise.stages.label import graph, posterior

    cells = round(trial.labelled * trial.cells * (1 - 1 / _FOLDS))
    needs = labellers.page(split_spec(options.by)[0]).needs
    if "vectors" in needs:
        return (_FOLDS + 1) * graph.seconds_of(options.by, cells)
    if "rounds" in needs:
        # One learner serves all rounds.
        one = {"name": "posterior", "restarts": 1}
        return _FOLDS * posterior.seconds_of(one, cells, len(trial.classes.positive))
    return _FOLDS * posterior.seconds_of(options.by, cells, len(trial.classes.positive))


def _bags(sites: pl.DataFrame, cells: pl.DataFrame, classes: tuple[str, ...], level: str) -> Bags:
    numbers = bag_numbers(sites, level)
    index = dict(zip(sites["site_id"].to_list(), numbers.tolist(), strict=True))
    _, firsts = np.unique(numbers, return_index=True)
    flags = cells["flags"].list
    at_border = cells["border"].fill_null(value=False) | flags.contains("border").fill_null(
        value=False
    )
    return Bags(
        np.array([index[site] for site in cells["site_id"]], np.int64),
        labels_matrix(sites["labels"][firsts.tolist()], classes),
        None,
        at_border.to_numpy().astype(bool),
        flags.contains("tiny").fill_null(value=False).to_numpy().astype(bool),
        classes=classes,
    )


def _with_vectors(
    bags: Bags,
    run: RunFolder,
    named: str | list[str],
    cells: pl.DataFrame,
    *,
    seed: int,
    alike: bool,
) -> Bags:
    """The bags with the vectors of their cells, and with the groups of the split.

    Raises:
        PreflightError: They come from several networks and must be `alike`, or stand beside others.
    """
    kept = open_embeddings(run, named)
    kept.check_cells(read_table(run.cells, CELLS, columns=_KEY))
    several = any(len(makers) > 1 for makers in kept.makers)
    if several and (alike or len(kept.blocks) > 1):
        raise PreflightError(
            f"label: embeddings {kept.name!r} come from several networks, whose numbers do not "
            "mean the same. Embed with one network: pretrained weights, a file, or measured "
            "features."
        )
    vectors = np.full((len(cells), kept.length), np.nan, np.float32)
    places = kept.places(cells)
    vectors[places >= 0] = kept.read(places[places >= 0])
    folds = RunReader(run).folds().select("site_id", "group")
    of_cell = cells.select("site_id").join(folds, on="site_id", how="left", maintain_order="left")
    group = group_numbers([of_cell["group"]], of_cell["site_id"])
    maker = None
    if several:
        numbers = kept.index["model"].rank("dense").fill_null(0).to_numpy().astype(np.int64)
        maker = np.where(places >= 0, numbers[places], -1)
    return replace(bags, vectors=vectors, group=group, seed=seed, blocks=kept.blocks, maker=maker)


def _scores(
    run: RunFolder,
    name: str,
    cells: pl.DataFrame,
    classes: tuple[str, ...],
    unlabelled: pl.Series,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Logits `[cell, class]` in the order of `cells`, NaN without an out-of-fold one; the fold."""
    frame = RunReader(run).scores(name, classes).filter(pl.col("unit") == CELL)
    frame = frame.join(cells.select(_KEY), on=_KEY, how="semi")
    # What no fold holds is scored by all models.
    free = pl.col("site_id").is_in(unlabelled.implode())
    clean = frame.filter(pl.col("out_of_fold") | free)
    if len(frame.filter(~free)) and not len(clean.filter(~free)):
        raise PreflightError(
            f"label: scores {name!r} of labelled fields were made by models that saw these fields. "
            "Train one model per fold (a 'split' step before 'train')."
        )
    if clean.select(_KEY).is_duplicated().any():
        raise FormatError(f"{run.scores(name).name} holds a cell twice.")
    result = np.full((len(cells), len(classes)), np.nan, np.float32)
    fold = np.full(len(cells), -1, np.int64)
    place = (
        cells.select(_KEY)
        .with_row_index("row")
        .join(clean.select(*_KEY, "fold", "score"), on=_KEY, how="inner")
    )
    if len(place):
        rows = place["row"].to_numpy()
        result[rows] = place["score"].to_numpy().reshape(len(place), -1)
        fold[rows] = place["fold"].fill_null(-1).to_numpy()
    return result, fold


def _folds_of_bags(
    bags: Bags, cells: pl.DataFrame, sites: pl.DataFrame
) -> npt.NDArray[np.int64] | None:
    """`[site]`: the fold of each bag, -1 for none; None where there are not two folds."""
    at = dict(zip(sites["site_id"].to_list(), sites["fold"].fill_null(-1).to_list(), strict=True))
    fold = np.full(len(bags.field_labels), -1, np.int64)
    fold[bags.site] = [at[site] for site in cells["site_id"].to_list()]
    return fold if len(np.unique(fold[fold >= 0])) > 1 else None


def _write(
    run: RunFolder,
    name: str,
    cells: pl.DataFrame,
    classes: tuple[str, ...],
    found: CellLabels,
    apart: Mapping[int, Floats],
) -> None:
    vector = pl.Array(pl.Float32, len(classes))
    frame = cells.select(_KEY).with_columns(
        pl.Series("label", found.label, dtype=vector),
        pl.Series("weight", found.weight, dtype=pl.Float32),
        pl.Series("reason", list(found.reason), dtype=pl.String),
        *(_labels_without(fold, label, vector) for fold, label in apart.items()),
    )
    write_table(run.labels(name), LABELS, frame, classes=classes)


def _labels_without(fold: int, label: Floats, vector: pl.Array) -> pl.Series:
    """One of the columns of `domain.held_out`: null where no label was made."""
    held = pl.Series(label_without(fold), label, dtype=vector)
    return (
        pl.select(pl.when(pl.Series(~np.isnan(label).any(1))).then(held))
        .to_series()
        .alias(label_without(fold))
    )
