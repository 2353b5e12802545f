"""The scores that are decided on: the named sets made one, adjusted, and what is out of fold."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.adjuster import Cells, Floats, LabelSets
from cellwise.domain.units import CELL, SITE, group_numbers, sample_numbers
from cellwise.registry import split_spec
from cellwise.stages.decide._combination import Combination, Members
from cellwise.stages.decide.adjust import adjusters
from cellwise.stages.decide.context.label_sets import with_prior

_KEY = ["site_id", "cell_id"]

# The rows of the score set of this name, as `RunReader.scores` gives them.
Scores = Callable[[str], pl.DataFrame]
Flags = npt.NDArray[np.bool_]
_MEAN = Combination()
_LARGEST = float(np.finfo(np.float32).max)


def adjusted_scores(
    scores: Scores,
    cells: pl.DataFrame,
    classes: tuple[str, ...],
    *,
    names: Sequence[str],
    fields: Sequence[str],
    adjust: Sequence[str | dict[str, Any]],
    combine: Callable[[Members], Floats] = _MEAN,
    sites: pl.DataFrame | None = None,
    sets: LabelSets | None = None,
) -> tuple[npt.NDArray[np.float32], Flags, LabelSets | None]:
    """Logits `[cell, class]`, NaN where a cell has no score; which are out of fold; label sets.

    Args:
        scores: The rows of a score set by its name.
        cells: One row per cell.
        classes: The positive classes.
        names: Score sets.
        combine: Makes one of them: `[member, cell, class]` with NaN to `[cell, class]`.
        fields: The score sets that speak of fields, of which the mean is taken; empty for none.
        adjust: Adjusters, in order.
        sites: `site_id`, `fold` and `Metadata_*` of the cells' sites, for adjusters that ask for
            label sets.
        sets: Which labels go together; priors that are not known yet are given back with them.
    """
    members, clean = member_logits(scores, names, cells, classes)
    unseen: Flags = np.asarray((clean | ~np.isfinite(members).all(axis=2)).all(axis=0))
    logits = combine(members)
    del members
    of_field = None
    if fields:
        found = [_field_logits(scores(name), cells, classes) for name in fields]
        of_field = np.mean([values for values, _ in found], axis=0)
        unseen &= np.all([clean for _, clean in found], axis=0)
        logits = np.where(np.isfinite(of_field), logits, np.nan)
    scored = np.isfinite(logits).all(axis=1)
    _, number = np.unique(cells["site_id"].to_numpy()[scored], return_inverse=True)
    bag, fold = (None, None) if sites is None else _bags(sites, cells.filter(pl.Series(scored)))
    known = Cells(
        number.astype(np.int64),
        None if of_field is None else of_field[scored],
        cells["area"].to_numpy()[scored].astype(np.float64),
        cells["border"].fill_null(value=False).to_numpy()[scored].astype(bool),
        bag,
        fold,
        sets,
        _odd(cells)[scored],
        classes,
    )
    values = logits[scored] if adjust else logits
    for spec in adjust:
        asks = "sets" in adjusters.page(split_spec(spec)[0]).needs
        if asks and known.sets is not None and not known.sets.prior.any():
            # Of the scores as they come to it: those before `exclusive` mean another thing.
            known = replace(known, sets=with_prior(known.sets, values, unseen[scored]))
        values = adjusters.build(spec)(values, known)
    if adjust:
        logits[scored] = values
    # What an adjuster makes of an absurd score may not fit the numbers that are stored.
    np.clip(logits, -_LARGEST, _LARGEST, out=logits)
    return logits.astype(np.float32), unseen, known.sets


def _odd(cells: pl.DataFrame) -> Flags:
    """Whether each cell has a quality flag other than that of the border."""
    if "flags" not in cells.columns:
        return np.zeros(len(cells), dtype=bool)
    odd = pl.col("flags").list.eval(pl.element() != "border").list.any()
    return cells.select(odd.fill_null(value=False)).to_series().to_numpy().astype(bool)


def _bags(
    sites: pl.DataFrame, cells: pl.DataFrame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The sample and the fold of each cell, -1 without a fold."""
    of_site = sites.select("site_id", "fold").with_columns(sample=sample_numbers(sites))
    found = cells.select("site_id").join(of_site, on="site_id", how="left", maintain_order="left")
    fold = found["fold"].fill_null(-1).to_numpy().astype(np.int64)
    return found["sample"].to_numpy().astype(np.int64), fold


def member_logits(
    scores: Scores, names: Sequence[str], cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[npt.NDArray[np.float32], Flags]:
    """Logits `[member, cell, class]`, NaN where a set lacks the cell; `[member, cell]` out of fold.

    A cell is out of fold for a set that scored it with the model that left its site's fold out.
    """
    found = np.full((len(names), len(cells), len(classes)), np.nan, np.float32)
    unseen = np.zeros((len(names), len(cells)), dtype=bool)
    place = cells.select(_KEY).with_row_index("place")
    for member, name in enumerate(names):
        frame = scores(name).filter(pl.col("unit") == CELL)
        known = place.join(frame, on=_KEY, how="inner")
        if len(known):
            rows = known["place"].to_numpy()
            found[member, rows] = known["score"].to_numpy().reshape(len(rows), -1)
            unseen[member, rows] = known["out_of_fold"].to_numpy()
    return found, unseen


def _field_logits(
    frame: pl.DataFrame, cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[Floats, Flags]:
    """The score of each cell's field, NaN where the set lacks it; and which are out of fold."""
    if (frame["unit"] == SITE).any():
        frame = frame.filter(pl.col("unit") == SITE)
    values = frame["score"].to_numpy().reshape(len(frame), len(classes)).astype(np.float64)
    number = group_numbers([frame["site_id"]], frame["site_id"])
    fields = frame.unique("site_id", keep="first", maintain_order=True)
    highest = np.full((len(fields), len(classes)), -np.inf)
    np.maximum.at(highest, number, values)
    place = fields.select("site_id", "out_of_fold").with_row_index("place")
    of_cell = cells.select("site_id").join(place, on="site_id", how="left", maintain_order="left")
    there = of_cell["place"].is_not_null().to_numpy()
    found = np.full((len(cells), len(classes)), np.nan)
    found[there] = highest[of_cell["place"].drop_nulls().to_numpy()]
    return found, of_cell["out_of_fold"].fill_null(value=False).to_numpy()
