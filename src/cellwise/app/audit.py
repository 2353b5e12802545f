"""Audit: how wrong the labels that cells inherit are, by class, and what to look at."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.errors import PreflightError
from cellwise.measures.inherited import account
from cellwise.measures.random_draw import drawn_by_strata, strata_of, worth
from cellwise.store.annotations.draws import write_draw
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.inherited import draw_of, inherited_cells, shown
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
    cells = inherited_cells(run)
    taken = _take(run, verdicts) if verdicts is not None else None
    draw = draw_of(run, cells)
    return {**account(cells, draw, shown(run, draw, cells)), "taken": taken}


def _take(run: RunFolder, path: Path) -> dict[str, Any]:
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"])
    brought = read_verdicts(path, classes.positive, classes.negative)
    if brought.ours:
        raise PreflightError(f"{path} is a table of annotations of a run; give the filled sheet.")
    found = imported(run, path, brought)
    return {
        "verdicts": len(found.found),
        "cells_not_found": [f"{site}/{cell}" for site, cell in found.lost],
    }
