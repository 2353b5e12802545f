"""Audit: how wrong the labels that cells inherit are, by class, and what to look at."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.errors import PreflightError
from cellwise.measures.inherited import account
from cellwise.measures.prediction_sets import sets_account
from cellwise.measures.random_draw import drawn_by_strata, strata_of, worth
from cellwise.store.annotations.draws import NEW, write_draw
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.inherited import draw_of, inherited_cells
from cellwise.store.annotations.new_cells import labelled_cells, new_cells, new_draw
from cellwise.store.annotations.tables import read_verdicts
from cellwise.store.run.folder import RunFolder, read_json


def draw_cells(path: Path, count: int, *, seed: int) -> Path:
    """Draw cells for a person to look at; returns the sheet to fill.

    As many are drawn from each of ten strata of how much a judged cell tells of all classes, see
    `measures.random_draw`: of rare classes, of cells that the model is unsure of, and of those in
    which it sees what the field lacks, more are drawn.

    Args:
        path: A finished run with labelled fields.
        count: How many cells; all where there are fewer.
        seed: Root of the draw.

    Raises:
        PreflightError: The run cannot be audited, or has a draw already.
    """
    run = RunFolder(path)
    cells = inherited_cells(run)
    random = np.random.default_rng(seed)
    stratum = strata_of(worth(cells.inherited, cells.chance), random)
    chosen = drawn_by_strata(stratum, count, random)
    rows = cells.rows.with_columns(pl.Series("stratum", stratum))[chosen]
    write_draw(run, rows, np.bincount(stratum).tolist(), seed)
    return run.annotations / "draw.csv"


def draw_new_cells(path: Path, count: int, *, seed: int) -> Path:
    """Draw cells of fields that no model learned from; returns the sheet to fill.

    All such cells have the same chance, but for those at a border of their image or out of focus,
    of which nothing is promised.

    Args:
        path: A finished run, of which all models together speak of these cells.
        count: How many cells; all where there are fewer.
        seed: Root of the draw.

    Raises:
        PreflightError: The run has no such cells, or has such a draw already.
    """
    run = RunFolder(path)
    cells = new_cells(run)
    chosen = np.random.default_rng(seed).permutation(len(cells.rows))[:count]
    rows = cells.rows.with_columns(stratum=pl.lit(0, pl.Int64))[chosen]
    write_draw(run, rows, [len(cells.rows)], seed, name=NEW)
    return run.annotations / f"{NEW}.csv"


def audit_run(path: Path, *, verdicts: Path | None = None) -> dict[str, Any]:
    """What is known of inherited labels, by class; and fields and cells to look at.

    Bounds follow from field labels and stated assumptions. Shares are there only where cells that
    were drawn at random were judged: verdicts on cells that anything else picked do not count.

    Args:
        path: A finished run with labelled fields.
        verdicts: A table of verdicts to take into the run first.

    Raises:
        PreflightError: The run cannot be audited, its draw is of other masks, or the table cannot
            be understood.
    """
    run = RunFolder(path)
    # Verdicts on new cells need no labels of fields.
    if not (run.annotations / f"{NEW}.json").is_file():
        inherited_cells(run)
    taken = _take(run, verdicts) if verdicts is not None else None
    labelled = labelled_cells(run)
    found: dict[str, Any] = {}
    if labelled is not None:
        draw = draw_of(run, labelled.cells)
        found = account(labelled.cells, draw, labelled.shows)
    return {**found, "taken": taken, "sets": sets_account(new_draw(run), labelled)}


def _take(run: RunFolder, path: Path) -> dict[str, Any]:
    listed = (read_json(run.reading) if run.reading.is_file() else {}).get("classes")
    if not listed:
        decided = read_json(run.decision("decide"))
        listed = {"names": decided["classes"], "negative": decided["negative"]}
    classes = ClassList(tuple(listed["names"]), listed["negative"])
    brought = read_verdicts(path, classes.positive, classes.negative)
    if brought.ours:
        raise PreflightError(f"{path} is a table of annotations of a run; give the filled sheet.")
    found = imported(run, path, brought)
    one = ["site_id", "cell_id", "class", "who", "when"]
    opposite = found.found.group_by(one).agg(pl.col("verdict").n_unique())
    return {
        "verdicts": len(found.found),
        "contradicting_themselves": len(opposite.filter(pl.col("verdict") > 1)),
        "cells": found.found.select("site_id", "cell_id").n_unique(),
        "cells_not_found": [f"{site}/{cell}" for site, cell in found.lost],
    }
