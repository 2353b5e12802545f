"""The scores that are decided on: the mean of the named sets, adjusted, and what is out of fold."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.adjuster import Cells, Floats
from cellwise.domain.tables import SCORES
from cellwise.errors import FormatError
from cellwise.stages.decide.adjust import adjusters
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_classes, read_table

_KEY = ["site_id", "cell_id"]

# The rows of the score set of this name.
Scores = Callable[[str], pl.DataFrame]
Flags = npt.NDArray[np.bool_]


def adjusted_scores(
    scores: Scores,
    cells: pl.DataFrame,
    classes: tuple[str, ...],
    *,
    names: Sequence[str],
    fields: Sequence[str],
    adjust: Sequence[str | dict[str, Any]],
) -> tuple[npt.NDArray[np.float32], Flags]:
    """Logits `[cell, class]`, NaN where a cell has no score; and which cells are out of fold.

    Args:
        scores: The rows of a score set by its name.
        cells: One row per cell with `fold`, the fold of its site or null.
        classes: The positive classes.
        names: Score sets, of which the mean is taken.
        fields: The score sets that speak of fields, of which the mean is taken; empty for none.
        adjust: Adjusters, in order.
    """
    logits, unseen = _mean_logits(scores, names, cells, classes)
    of_field = None
    if fields:
        found = [_field_logits(scores(name), cells, classes) for name in fields]
        of_field = np.mean([values for values, _ in found], axis=0)
        unseen &= np.all([clean for _, clean in found], axis=0)
        logits = np.where(np.isfinite(of_field), logits, np.nan)
    scored = np.isfinite(logits).all(axis=1)
    _, number = np.unique(cells["site_id"].to_numpy()[scored], return_inverse=True)
    known = Cells(
        number.astype(np.int64),
        None if of_field is None else of_field[scored],
        cells["area"].to_numpy()[scored].astype(np.float64),
        cells["border"].fill_null(value=False).to_numpy()[scored].astype(bool),
    )
    values = logits[scored]
    for spec in adjust:
        values = adjusters.build(spec)(values, known)
    logits[scored] = values
    return logits.astype(np.float32), unseen


def _mean_logits(
    scores: Scores, names: Sequence[str], cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[Floats, Flags]:
    """Mean logits `[cell, class]`, NaN where no set holds the cell; and which are out of fold.

    A cell is out of fold when every set scored it with the model that left its site's fold out.
    """
    total = np.zeros((len(cells), len(classes)), np.float64)
    count = np.zeros(len(cells), np.int64)
    unseen = np.ones(len(cells), dtype=bool)
    place = cells.select(*_KEY, left_out="fold").with_row_index("place")
    for name in names:
        frame = scores(name).filter(pl.col("unit") == "cell")
        found = place.join(frame.select(*_KEY, "fold", "score"), on=_KEY, how="inner")
        if len(found):
            rows = found["place"].to_numpy()
            np.add.at(total, rows, found["score"].to_numpy().reshape(len(rows), -1))
            np.add.at(count, rows, 1)
            unseen[rows] &= _clean(found)
    mean = total / np.maximum(count, 1)[:, None]
    return np.where(count[:, None] > 0, mean, np.nan), unseen


def _field_logits(
    frame: pl.DataFrame, cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[Floats, Flags]:
    """The score of each cell's field, NaN where the set lacks it; and which are out of fold."""
    if (frame["unit"] == "site").any():
        frame = frame.filter(pl.col("unit") == "site")
    values = frame["score"].to_numpy().reshape(len(frame), len(classes)).astype(np.float64)
    sites, number = np.unique(frame["site_id"].to_numpy(), return_inverse=True)
    highest = np.full((len(sites), len(classes)), -np.inf)
    np.maximum.at(highest, number, values)
    folds = dict(frame.select("site_id", "fold").unique("site_id").iter_rows())
    place = {site: row for row, site in enumerate(sites)}
    found = np.full((len(cells), len(classes)), np.nan)
    clean = np.zeros(len(cells), dtype=bool)
    for row, (site, left_out) in enumerate(cells.select("site_id", "fold").iter_rows()):
        if site in place:
            found[row] = highest[place[site]]
            clean[row] = left_out is not None and folds[site] == left_out
    return found, clean


def stored_scores(run: RunFolder, name: str, classes: tuple[str, ...]) -> pl.DataFrame:
    """The rows of a score set of a run.

    Raises:
        FormatError: Scores over other classes.
    """
    path = run.scores(name)
    given = read_classes(path, SCORES)
    if given != classes:
        raise FormatError(f"{path.name}: scores over {given}, the run's are {classes}.")
    return read_table(path, SCORES)


def _clean(found: pl.DataFrame) -> Flags:
    same = (found["fold"] == found["left_out"]).fill_null(value=False)
    return np.asarray(same.to_numpy().astype(bool))
