"""Audit: how wrong the labels that cells inherit are, by class, and what to look at."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.tables import PREDICTIONS
from cellwise.domain.units import CELL
from cellwise.errors import PreflightError
from cellwise.measures.audit import Judged, false_share, missed_share, positives_bounds, weights
from cellwise.measures.bootstrap import Floats, Groups, numbered
from cellwise.measures.label_support import label_support
from cellwise.measures.random_draw import drawn_by_strata, strata_of, worth
from cellwise.store.annotations.draws import Draw, drawn_from_these_masks, read_draw, write_draw
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.saves import annotations, last_words
from cellwise.store.annotations.tables import read_verdicts
from cellwise.store.annotations.words import NO, RANDOM, YES
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader, labels_matrix
from cellwise.store.run.tables import column_names, read_table

_KEY = ["site_id", "cell_id"]
_LISTED = 50


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of labelled fields: what fields say, and models that saw none of them."""

    rows: pl.DataFrame
    classes: tuple[str, ...]
    inherited: npt.NDArray[np.bool_]
    chance: Floats
    group: Groups


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
    cells = _cells(run)
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
    cells = _cells(run)
    taken = _take(run, verdicts) if verdicts is not None else None
    draw = read_draw(run)
    if draw is not None and not (
        drawn_from_these_masks(run, draw) and draw.there.sum() == len(cells.rows)
    ):
        raise PreflightError(
            f"The draw in {run.annotations} is of other cells than the run has today. Move "
            "draw.json and draw.csv away and draw anew."
        )
    shows = _shown(run, draw, cells)
    return {
        "cells": len(cells.rows),
        "fields": cells.rows["site_id"].n_unique(),
        "drawn": 0 if draw is None else len(draw.drawn),
        "judged": int(np.isfinite(shows).all(axis=1).sum()),
        "taken": taken,
        "classes": [_of_class(cells, column, draw, shows) for column in range(len(cells.classes))],
        "suspicious_fields": _fields_to_doubt(cells),
        "suspicious_cells": _cells_to_doubt(cells),
    }


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


def _cells(run: RunFolder) -> _Cells:
    if not run.predictions.is_file():
        raise PreflightError(f"{run.path} holds no predictions: let `cellwise run` finish first.")
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"]).positive
    columns = [f"Prob_{name}" for name in classes]
    there = column_names(run.predictions, PREDICTIONS)
    if not set(columns) <= set(there):
        raise PreflightError(f"{run.path}: an audit needs a probability of each class.")
    names = ["unit", *_KEY, "fold", "x", "y", *columns]
    rows = read_table(run.predictions, PREDICTIONS, columns=names)
    sites = RunReader(run).labelled_sites().select("site_id", "labels")
    rows = rows.filter((pl.col("unit") == CELL) & pl.col("fold").is_not_null())
    rows = rows.join(sites, on="site_id", how="inner").sort(_KEY)
    rows = rows.join(RunReader(run).folds().select("site_id", "group"), on="site_id", how="left")
    chance = rows.select(columns).to_numpy().astype(np.float64)
    known = np.isfinite(chance).all(axis=1)
    rows, chance = rows.filter(pl.Series(known)).sort(_KEY), chance[known]
    if not len(rows):
        raise PreflightError(
            f"{run.path}: no cell of a labelled field has a probability from a model that has not "
            "seen the field. An audit needs a recipe that labels cells, with a step 'split'."
        )
    group = numbered(rows["group"].fill_null(rows["site_id"]).to_numpy())
    return _Cells(rows, classes, labels_matrix(rows["labels"], classes), chance, group)


def _shown(run: RunFolder, draw: Draw | None, cells: _Cells) -> Floats:
    """`[cell, class]`: what people saw in drawn cells, NaN without, unsure or contradicted."""
    shows = np.full(cells.chance.shape, np.nan)
    if draw is None:
        return shows
    said = last_words(annotations(run)).filter(
        (pl.col("drawn") == RANDOM) & pl.col("class").is_in(cells.classes)
    )
    said = said.join(draw.drawn, on=[*_KEY, "mask_key"], how="semi")
    one = said.group_by(*_KEY, "class").agg(
        pl.col("verdict").n_unique().alias("voices"), pl.col("verdict").first()
    )
    one = one.filter((pl.col("voices") == 1) & pl.col("verdict").is_in([YES, NO]))
    place = cells.rows.select(_KEY).with_row_index("row").join(one, on=_KEY, how="inner")
    columns = [cells.classes.index(name) for name in place["class"]]
    shows[place["row"].to_numpy(), columns] = (place["verdict"] == YES).to_numpy()
    return shows


def _of_class(cells: _Cells, column: int, draw: Draw | None, shows: Floats) -> dict[str, Any]:
    inherited = cells.inherited[:, column]
    fields = cells.rows.filter(pl.Series(inherited)).unique("site_id")
    companions = int((labels_matrix(fields["labels"], cells.classes).sum(axis=1) - 1).sum())
    least, most = positives_bounds(int(inherited.sum()), len(fields), companions)
    facts: dict[str, Any] = {
        "class": cells.classes[column],
        "fields": len(fields),
        "inherited": int(inherited.sum()),
        "false_at_least": least,
        "false_at_most": most,
        "false": None,
        "missed": None,
    }
    weight = None if draw is None else _weights(cells, draw, shows[:, column])
    if weight is not None:
        judged = Judged(inherited, cells.chance[:, column], shows[:, column], weight, cells.group)
        facts["false"] = _plain(asdict(false_share(judged)))
        facts["missed"] = _plain(asdict(missed_share(judged)))
    return facts


def _weights(cells: _Cells, draw: Draw, shows: Floats) -> Floats | None:
    """For how many cells each judged one stands; None before a cell of each stratum was judged."""
    place = cells.rows.select(_KEY).join(draw.drawn, on=_KEY, how="left", maintain_order="left")
    stratum = place["stratum"].fill_null(-1).to_numpy().astype(np.int64)
    judged = np.isfinite(shows) & (stratum >= 0)
    done = np.bincount(stratum[judged], minlength=len(draw.there))
    if (done[draw.there > 0] == 0).any():
        return None
    return weights(draw.there, stratum, judged)


def _plain(share: dict[str, Any]) -> dict[str, Any]:
    """A share for JSON, which has no NaN."""
    return {
        name: (None if isinstance(value, float) and np.isnan(value) else value)
        for name, value in share.items()
    }


def _fields_to_doubt(cells: _Cells) -> list[dict[str, Any]]:
    """Fields and labels that their cells support least, the least first."""
    sites = cells.rows["site_id"].unique(maintain_order=True)
    field = numbered(cells.rows["site_id"].to_numpy())
    support = label_support(
        (cells.chance >= 0.5).astype(np.float64), cells.chance, field, count=len(sites)
    )
    _, first = np.unique(field, return_index=True)
    row, column = np.nonzero(cells.inherited[first])
    order = np.argsort(support.mean[row, column], kind="stable")[:_LISTED]
    return [
        {
            "site_id": cells.rows["site_id"][int(first[r])],
            "class": cells.classes[c],
            "cells": int(support.n[r]),
            "mean_probability": round(float(support.mean[r, c]), 4),
        }
        for r, c in zip(row[order].tolist(), column[order].tolist(), strict=True)
    ]


def _cells_to_doubt(cells: _Cells) -> list[dict[str, Any]]:
    """Cells that seem to show a class that their field lacks, the surest first."""
    absent = np.where(cells.inherited, -1.0, cells.chance)
    order = np.argsort(-absent, axis=None, kind="stable")[:_LISTED]
    rows, columns = np.unravel_index(order, absent.shape)
    return [
        {
            "site_id": cells.rows["site_id"][r],
            "cell_id": cells.rows["cell_id"][r],
            "class": cells.classes[c],
            "probability": round(float(absent[r, c]), 4),
        }
        for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
        if absent[r, c] >= 0
    ]
