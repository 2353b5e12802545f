"""Member: the probabilities that another finished run gave the same cells, as scores.

A decision over several of these is an ensemble of runs, whatever each has learned and however it
was split. Cells are matched by field and number, after the masks of each field were found to be the
same; classes by name. A row counts as out of fold where the other run scored its labelled field by
a model that had not seen it. Writes `scores/<name>.parquet`.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import CELLS, PREDICTIONS, SCORES
from cellwise.domain.units import CELL
from cellwise.errors import PreflightError
from cellwise.stages.member.spec import Options
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import mask_key
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import column_names, read_classes, read_table, write_table

_KEY = ["site_id", "cell_id"]
# A probability that is stored as 0 or 1 is no further off than this.
_EDGE = 1e-7
_NAMED = 3


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse a table that is not there, or of a run that is not done.

    Raises:
        PreflightError: One of both.
    """
    path = Path(Options.of(options).predictions)
    if not path.is_file():
        raise PreflightError(f"member: there is no file {path}. Let `cellwise run` finish first.")
    check_finished(path.parent)


def check_finished(run: Path) -> None:
    """Refuse a run that is not done.

    Raises:
        PreflightError: It is no run folder, or it has not finished.
    """
    record = RunFolder(run).record
    status = read_json(record).get("status") if record.is_file() else None
    if status != "done":
        said = "is no run folder" if status is None else f"has not finished ({status})"
        raise PreflightError(f"{run} {said}: an ensemble needs finished runs.")


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write the scores; returns counts.

    Raises:
        PreflightError: The other run has other masks, other classes, or none of these cells.
    """
    run, path = RunFolder(job.run), Path(Options.of(job.options).predictions)
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"])
    theirs = _predictions(path, classes)
    cells = read_table(run.cells, CELLS).sort(_KEY).select(_KEY)
    report(0, 1, f"{len(cells)} cells")
    check_same(run, path)
    found = cells.join(theirs, on=_KEY, how="inner", maintain_order="left")
    if found.is_empty() and len(cells):
        raise PreflightError(f"member: {path} has a probability of none of these cells.")
    folds = RunReader(run).folds().select("site_id", left_out="fold")
    found = found.join(folds, on="site_id", how="left", maintain_order="left")
    logits = _logits(found.select(classes.positive).to_numpy())
    frame = pl.DataFrame(
        {
            "unit": [CELL] * len(found),
            "site_id": found["site_id"],
            "cell_id": found["cell_id"],
            "fold": found.select(
                pl.when(pl.col("fold").is_not_null()).then("left_out")
            ).to_series(),
            "model": [path.parent.name] * len(found),
            "score": pl.Series(logits, dtype=pl.Array(pl.Float32, len(classes.positive))),
            "spread": pl.Series(
                np.zeros_like(logits), dtype=pl.Array(pl.Float32, len(classes.positive))
            ),
        }
    )
    write_table(run.scores(job.name), SCORES, frame, classes=classes.positive)
    report(1, 1, "done")
    return {"cells": len(found), "without": len(cells) - len(found)}


def _predictions(path: Path, classes: ClassList) -> pl.DataFrame:
    """Rows of cells: `site_id`, `cell_id`, `fold`, and a column for each positive class.

    Raises:
        PreflightError: The table is over other classes, lists a cell twice, or what it gives a cell
            is no probability.
    """
    theirs = read_classes(path, PREDICTIONS)
    if set(theirs) != set(classes.names):
        odd = sorted(set(theirs) ^ set(classes.names))[:_NAMED]
        raise PreflightError(
            f"member: {path} is over other classes than this run: {', '.join(map(repr, odd))} "
            "stands in one of both only."
        )
    columns = ["unit", *_KEY, "fold"]
    named = {f"Prob_{name}": name for name in classes.positive}
    if set(named) <= set(column_names(path, PREDICTIONS)):
        rows = read_table(path, PREDICTIONS, columns=[*columns, *named]).rename(named)
    else:
        stored = np.load(path.with_suffix(".npy"), allow_pickle=False)
        place = {name: stored[:, theirs.index(name)] for name in classes.positive}
        rows = read_table(path, PREDICTIONS, columns=columns).with_columns(
            pl.Series(name, values) for name, values in place.items()
        )
    rows = rows.filter(pl.col("unit") == CELL).drop("unit")
    _refuse_broken(path, rows, classes)
    return rows


def _refuse_broken(path: Path, rows: pl.DataFrame, classes: ClassList) -> None:
    """Refuse what no finished run writes: it would be left out, or held at 0 or 1, in silence."""
    possible = pl.all_horizontal(
        pl.col(name).is_between(0, 1).fill_null(value=False) for name in classes.positive
    )
    odd = rows.filter(~possible)
    twice = rows.filter(pl.struct(_KEY).is_duplicated())
    for broken, what in ((odd, "what is no probability in 0..1"), (twice, "several rows")):
        if len(broken):
            first = broken.row(0, named=True)
            of = next((f" of {n!r}" for n in classes.positive if not _is_chance(first[n])), "")
            cells = counted(len(broken.unique(_KEY)), "cells")
            raise PreflightError(
                f"member: {path} has {what} for {cells}, first "
                f"{first['site_id']}/{first['cell_id']}{of}. Run {path.parent} again."
            )


def _is_chance(value: float | None) -> bool:
    return value is not None and 0 <= value <= 1


def check_same(run: RunFolder, predictions: Path) -> None:
    """Refuse predictions of other cells or classes than a run's.

    Args:
        run: The run whose cells count.
        predictions: The table of another.

    Raises:
        PreflightError: A field has other masks there, the runs have no field in common, or classes
            differ.
    """
    listed = read_json(run.reading)["classes"]
    theirs = _predictions(predictions, ClassList(tuple(listed["names"]), listed["negative"]))
    other = RunFolder(predictions.parent)
    own = read_table(run.cells, CELLS, columns=["site_id"])["site_id"].unique().sort()
    known = set(theirs["site_id"].unique())
    shared = [site for site in own if site in known]
    if not shared and len(own):
        raise PreflightError(
            f"{other.path} has none of the fields of {run.path}: {own[0]!r} is not among its own."
        )
    odd = [s for s in shared if mask_key(run.masks, s) != mask_key(other.masks, s)]
    if odd:
        raise PreflightError(
            f"{other.path} has other masks than {run.path} in {len(odd)} of {len(shared)} fields "
            f"({', '.join(odd[:_NAMED])}): its cells are not the same. Make its run again with "
            f"--masks {run.masks}."
        )


def said_by(run: RunFolder, predictions: Path) -> str:
    """A digest of the cells and probabilities of a table of predictions, over a run's classes."""
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"])
    rows = _predictions(predictions, classes).sort(_KEY)
    found = sha256(rows.select(classes.positive).to_numpy().tobytes())
    found.update(rows.select(_KEY).write_csv().encode())
    return found.hexdigest()


def _logits(chance: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    held = np.clip(chance.astype(np.float64), _EDGE, 1 - _EDGE)
    return (np.log(held) - np.log1p(-held)).astype(np.float32)
