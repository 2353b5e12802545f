"""The account of prediction sets: what is promised of new cells and how surely, or why nothing is.

The thresholds themselves are those of `measures.conformal`.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.measures.audit import weights
from cellwise.measures.bootstrap import Floats, Groups, numbered
from cellwise.measures.conformal import (
    ERROR,
    FEWEST,
    FEWEST_GROUPS,
    ClassSet,
    Sample,
    Sets,
    fit_sets,
    in_sets,
)
from cellwise.store.annotations.draws import Draw
from cellwise.store.annotations.new_cells import LabelledCells, NewCells, NewDraw
from cellwise.store.run.reader import labels_matrix

_KEY = ["site_id", "cell_id"]
# An interval of more than so much on either side of the middle promises nothing.
WIDEST = 0.05


@dataclass(frozen=True, slots=True)
class Promise:
    """Thresholds that hold for new cells.

    Args:
        classes: All classes.
        may: Per class, None where too few judged cells show it.
        surely: Per class, None where no threshold is sure enough.
    """

    classes: tuple[str, ...]
    may: tuple[float | None, ...]
    surely: tuple[float | None, ...]


def promise_of(new: NewDraw | None) -> Promise | None:
    """What an audit of new fields promises; None for nothing."""
    account = _new(new)
    if account is None or not account["promise"]:
        return None
    rows = account["classes"]
    return Promise(
        tuple(row["class"] for row in rows),
        tuple(row["may"] for row in rows),
        tuple(row["surely"] for row in rows),
    )


def sets_account(new: NewDraw | None, labelled: LabelledCells | None) -> dict[str, Any]:
    """What is known of prediction sets: of new cells, of single folds, and of labels of fields.

    `new` is None before a draw from new fields; `folds` is None without verdicts on a draw from
    labelled fields, and `fields` without labelled fields.
    """
    folds, fields = (None, None) if labelled is None else _labelled(labelled)
    return {"error": ERROR, "new": _new(new), "folds": folds, "fields": fields}


def _new(new: NewDraw | None) -> dict[str, Any] | None:
    if new is None:
        return None
    if new.cells is None:
        return _nothing(new.gone, len(new.draw.drawn))
    cells = new.cells
    shows = with_negative(new.shows, cells.classes)
    weight = weights_of(new.draw, cells.rows, shows)
    sets = _fitted(cells.chance, shows, weight, cells.group)
    why = _why_not(sets)
    return {
        "promise": not why,
        "why": why,
        "cells": len(cells.rows),
        "left_out": cells.left_out,
        "drawn": len(new.draw.drawn),
        "size": _mean_size(cells, sets),
        **_told(sets, cells.classes.names),
    }


def _nothing(why: str, drawn: int) -> dict[str, Any]:
    return {"promise": False, "why": why, "drawn": drawn, "judged": 0, "classes": []}


def _why_not(sets: Sets) -> str:
    """Why nothing can be promised; empty where something can."""
    if all(one.may is None for one in sets.classes):
        return (
            f"no class has {FEWEST} judged cells of {FEWEST_GROUPS} groups that show it, as a "
            "promise for it needs"
        )
    half = (sets.covered.high - sets.covered.low) / 2
    if half > WIDEST:
        return (
            f"the share that sets hold is known to {half:.3f} on either side, and a promise needs "
            f"{WIDEST:.3f}: judge more cells, of more groups"
        )
    if sets.covered.high < 1 - ERROR:
        return "sets held less of the cells judged than was to be promised"
    return ""


def _labelled(known: LabelledCells) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Sets of cells as single folds speak of them, and of labels of fields: no promise for cells.

    Fields are spoken of by the mean of their cells.
    """
    cells = known.cells
    group = numbered(cells.group)
    folds = None
    if known.draw is not None:
        weight = weights_of(known.draw, cells.rows, known.shows)
        if (weight > 0).any():
            folds = _told(_fitted(cells.chance, known.shows, weight, group), cells.classes)
    field = numbered(cells.rows["site_id"].to_numpy())
    _, first, count = np.unique(field, return_index=True, return_counts=True)
    mean = np.zeros((len(first), len(cells.classes)))
    np.add.at(mean, field, cells.chance)
    labels = labels_matrix(cells.rows["labels"][first.tolist()], cells.classes)
    every = Sample(
        mean / count[:, None], labels.astype(np.float64), np.ones(len(first)), group[first]
    )
    return folds, _told(fit_sets(every), cells.classes)


def with_negative(shows: Floats, classes: ClassList) -> Floats:
    """`[cell, class]` over all classes of what is known over the positive ones.

    A cell shows the negative class where it shows none of the others.
    """
    if classes.negative is None:
        return shows
    none = np.where(np.isfinite(shows).all(axis=1), 1.0, np.nan)
    none = np.where((shows == 1).any(axis=1), 0.0, none)
    return np.asarray(np.insert(shows, classes.names.index(classes.negative), none, axis=1))


def weights_of(draw: Draw, rows: pl.DataFrame, shows: Floats) -> Floats:
    """`[cell]`: for how many cells of its stratum each judged one stands, 0 for others.

    All 0 before a cell of each stratum was judged: then cells do not stand for all.
    """
    place = rows.select(_KEY).join(
        draw.drawn.select(*_KEY, "stratum"), on=_KEY, how="left", maintain_order="left"
    )
    stratum = place["stratum"].fill_null(-1).to_numpy().astype(np.int64)
    judged = np.isfinite(shows).any(axis=1) & (stratum >= 0)
    done = np.bincount(stratum[judged], minlength=len(draw.there))
    if (done[draw.there > 0] == 0).any():
        return np.zeros(len(rows))
    return weights(draw.there, stratum, judged)


def _fitted(chance: Floats, shows: Floats, weight: Floats, group: Groups) -> Sets:
    kept = weight > 0
    return fit_sets(Sample(chance[kept], shows[kept], weight[kept], group[kept]))


def _told(sets: Sets, names: tuple[str, ...]) -> dict[str, Any]:
    rows = [
        {
            "class": name,
            **asdict(one),
            "covered": _plain(asdict(one.covered)),
            "why": _why_no_threshold(one),
        }
        for name, one in zip(names, sets.classes, strict=True)
    ]
    return {
        "judged": sets.judged,
        "groups": sets.groups,
        "effective": round(sets.effective, 1),
        "covered": _plain(asdict(sets.covered)),
        "classes": rows,
    }


def _why_no_threshold(one: ClassSet) -> str:
    """Why nothing is promised of a class; empty where something is."""
    if one.may is not None:
        return ""
    if one.shown < FEWEST:
        return f"fewer than {FEWEST} judged cells show it"
    if one.groups < FEWEST_GROUPS:
        return f"the judged cells that show it are of fewer than {FEWEST_GROUPS} groups"
    return "the judged cells that show it are too much alike"


def _plain(share: dict[str, Any]) -> dict[str, Any]:
    """A share for JSON, which has no NaN."""
    return {
        name: (None if isinstance(value, float) and np.isnan(value) else value)
        for name, value in share.items()
    }


def _mean_size(cells: NewCells, sets: Sets) -> float:
    inside = in_sets(cells.chance, [one.may for one in sets.classes])
    return float(inside.sum(axis=1).mean())
