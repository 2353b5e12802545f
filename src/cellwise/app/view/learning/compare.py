"""What a run said before it learned again, kept, and what became of it."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import PREDICTIONS
from cellwise.domain.units import CELL
from cellwise.errors import FormatError, PreflightError
from cellwise.measures.audit import weights
from cellwise.measures.bootstrap import numbered
from cellwise.measures.inherited import account
from cellwise.measures.precision_change import LEAST, precision_change
from cellwise.store.annotations.inherited import draw_of, inherited_cells, shown
from cellwise.store.atomic import write_bytes, write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import column_names, read_table

_KEY = ["site_id", "cell_id"]
# Both lie in the folder of annotations: the folder of a run is swept, this one is kept.
_TABLE, _FACTS = "before.parquet", "before.json"


def keep_before(run: RunFolder, **facts: Any) -> None:
    """Keep what the run says now, unless learning was begun and has not come to an end.

    Args:
        run: The run folder.
        facts: What else is to be known of the start: who, when, how many verdicts.

    Raises:
        PreflightError: The run says nothing of cells.
        StorageError: The disk is full or cannot be written.
    """
    if not run.predictions.is_file():
        raise PreflightError(f"{run.path} holds no predictions: let `cellwise run` finish first.")
    kept = _facts(run)
    if kept is None or kept["done"] or not (run.annotations / _TABLE).is_file():
        write_bytes(run.annotations / _TABLE, run.predictions.read_bytes())
    write_text(run.annotations / _FACTS, json.dumps({**facts, "done": False}))


def end(run: RunFolder) -> None:
    """Note that learning came to its end: the next start keeps what is said by then."""
    kept = _facts(run)
    if kept is not None and not kept["done"]:
        write_text(run.annotations / _FACTS, json.dumps({**kept, "done": True}))


def before_and_after(run: RunFolder) -> dict[str, Any] | None:
    """What changed since the run last learned again; None where it never did.

    Returns:
        The facts of the start; `cells`, how many there are; `changed`, the cells that were given
        other classes; by class the cells given it before and after, those that gained and lost it,
        and on the random draw average precision before and after with the 90 % interval of the
        difference, and what is known of inherited labels; and `of_all`, the mean over classes.

    Raises:
        FormatError: A table is torn.
    """
    facts = _facts(run)
    if facts is None or not (run.annotations / _TABLE).is_file():
        return None
    names, before, after = _tables(run)
    both = before.join(after, on=_KEY, how="inner", suffix="_after")
    gained = [_moved(both, name) for name in names]
    other = pl.col("Labels").list.sort() != pl.col("Labels_after").list.sort()
    judged = _judged(run, names, before)
    return {
        **facts,
        "cells": len(both),
        "gone": len(before) - len(both),
        "changed": both.filter(other).select(_KEY).rows(),
        "least": LEAST,
        "classes": [
            {"class": name, **counts, **judged["classes"].get(name, {})}
            for name, counts in zip(names, gained, strict=True)
        ],
        "of_all": judged["of_all"],
        "why": judged["why"],
    }


def _facts(run: RunFolder) -> dict[str, Any] | None:
    path = run.annotations / _FACTS
    try:
        found = read_json(path) if path.is_file() else None
    except FormatError:
        return None
    return {"done": True, **found} if found is not None else None


def _tables(run: RunFolder) -> tuple[list[str], pl.DataFrame, pl.DataFrame]:
    """Classes, and what was given to cells before and after, with probabilities where kept."""
    paths = (run.annotations / _TABLE, run.predictions)
    there = [column_names(path, PREDICTIONS) for path in paths]
    chances = [name for name in there[0] if name.startswith("Prob_") and name in there[1]]
    frames = []
    for path in paths:
        frame = read_table(path, PREDICTIONS, columns=["unit", *_KEY, "Labels", *chances])
        frame = frame.filter(pl.col("unit") == CELL).drop("unit")
        frames.append(frame.with_columns(pl.col("Labels").fill_null([])))
    known = [name.removeprefix("Prob_") for name in chances]
    if not known:
        given = pl.concat([frame["Labels"] for frame in frames]).explode().drop_nulls()
        known = sorted(str(name) for name in given.unique())
    return known, frames[0], frames[1]


def _moved(both: pl.DataFrame, name: str) -> dict[str, int]:
    before = both["Labels"].list.contains(name).fill_null(value=False).to_numpy()
    after = both["Labels_after"].list.contains(name).fill_null(value=False).to_numpy()
    return {
        "before": int(before.sum()),
        "after": int(after.sum()),
        "gained": int((after & ~before).sum()),
        "lost": int((before & ~after).sum()),
    }


def _judged(run: RunFolder, names: list[str], before: pl.DataFrame) -> dict[str, Any]:
    """What the cells drawn at random tell; `why` says why they tell nothing."""
    nothing: dict[str, Any] = {"classes": {}, "of_all": None}
    try:
        cells = inherited_cells(run)
        draw = draw_of(run, cells)
    except PreflightError as error:
        return {**nothing, "why": str(error)}
    if draw is None:
        return {**nothing, "why": "No cells were drawn at random for an audit yet."}
    shows = shown(run, draw, cells)
    told = {one["class"]: one for one in account(cells, draw, shows)["classes"]}
    place = cells.rows.select(_KEY).join(draw.drawn, on=_KEY, how="left", maintain_order="left")
    stratum = place["stratum"].fill_null(-1).to_numpy().astype(np.int64)
    weight = np.zeros_like(shows)
    for column in range(shows.shape[1]):
        weight[:, column] = _weight(draw.there, stratum, np.isfinite(shows[:, column]))
    columns = [f"Prob_{name}" for name in cells.classes]
    if not set(columns) <= set(before.columns):
        return {**nothing, "why": "The classes are other ones than before."}
    was = cells.rows.select(_KEY).join(before, on=_KEY, how="left", maintain_order="left")
    chances = (was.select(columns).to_numpy().astype(np.float64), cells.chance)
    found, of_all = precision_change(shows, weight, chances, numbered(cells.group))
    classes = {
        name: {
            "precision": None if one is None else asdict(one),
            "false": told[name]["false"],
            "missed": told[name]["missed"],
        }
        for name, one in zip(cells.classes, found, strict=True)
        if name in names
    }
    why = "" if of_all else _too_few(draw.there, stratum, shows)
    return {"classes": classes, "of_all": asdict(of_all) if of_all else None, "why": why}


def _weight(
    there: npt.NDArray[np.int64], stratum: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """For how many cells each judged one stands; 0 before a cell of each stratum was judged."""
    done = known & (stratum >= 0)
    seen = np.bincount(stratum[done], minlength=len(there))
    if (seen[there > 0] == 0).any():
        return np.zeros(len(stratum))
    return weights(there, stratum, done)


def _too_few(
    there: npt.NDArray[np.int64], stratum: npt.NDArray[np.int64], shows: npt.NDArray[np.float64]
) -> str:
    done = np.isfinite(shows).any(1) & (stratum >= 0)
    seen = np.bincount(stratum[done], minlength=len(there)) > 0
    parts, all_parts = int((seen & (there > 0)).sum()), int((there > 0).sum())
    if parts < all_parts:
        return (
            f"Of the random draw cells of {parts} of {all_parts} strata were judged; figures need "
            "one of each. Go on with the queue random for audit."
        )
    return f"No class is shown by {LEAST} judged cells of the random draw yet."
