"""The table of variability between cells: fields, wells, samples and proteins, class by class."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.units import CELL
from cellwise.measures.bootstrap import Groups, numbered
from cellwise.measures.patterns import Rates, patterns_of, rates_of
from cellwise.measures.prediction_sets import weights_of, with_negative
from cellwise.store.annotations.new_cells import LabelledCells, NewDraw, abstained
from cellwise.store.run.reader import labels_matrix

_KEY = ["site_id", "cell_id"]
FIELD, WELL, SAMPLE, PROTEIN = "field", "well", "sample", "protein"
_NAMED = {
    WELL: ("Metadata_Well",),
    SAMPLE: ("Metadata_Sample", "Metadata_Antibody"),
    PROTEIN: ("Metadata_Protein", "Metadata_Gene"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What tells how often claims are right.

    Args:
        labelled: Cells of labelled fields with a draw; None for none.
        new: The draw from new fields; None for none.
    """

    labelled: LabelledCells | None = None
    new: NewDraw | None = None


def variability_table(
    rows: pl.DataFrame, classes: ClassList, told: Told, blurred: frozenset[str]
) -> pl.DataFrame:
    """One row per unit and class, fields first; of cells at a border or out of focus none counts.

    Columns: `level`, `unit`, `labels` (of its fields, null without), `cells`, `entropy` (bits),
    `mixture`, `class`, `claimed`, `share` (null without judged cells), `low`, `high`, `by` (`audit`
    for a 90 % interval, `bounds`), `mixed`.

    Args:
        rows: Rows of the predictions table of single cells with a column for each class.
        classes: All classes.
        told: What tells how often claims are right.
        blurred: Sites that are out of focus as a whole.
    """
    cells = rows.filter((pl.col("unit") == CELL) & abstained(rows, blurred).is_null())
    named = [name for name in classes.names if f"Prob_{name}" in cells.columns]
    if not len(cells) or len(named) < len(classes.names):
        return pl.DataFrame(schema=_SCHEMA)
    columns = [f"Prob_{name}" for name in classes.names]
    chance = cells.select(columns).to_numpy().astype(np.float64).reshape(len(cells), -1)
    claimed = labels_matrix(cells["Labels"], classes.names)
    rates = {
        taught: _rates(cells, claimed, classes, shown)
        for taught, shown in ((True, _labelled(told, classes)), (False, _new(told, classes)))
    }
    taught = set() if told.labelled is None else set(told.labelled.cells.rows["site_id"])
    cells = cells.select(
        *_KEY, "Weak_labels", pl.col("site_id").is_in(list(taught)).alias("taught"),
        *(name for name in cells.columns if name.startswith("Metadata_")),
    )  # fmt: skip
    parts = [
        part
        for level, unit in _units(cells)
        for part in _of_level(level, unit, cells, (claimed, chance), rates, classes.names)
    ]
    level_number = pl.col("level").replace_strict({FIELD: 0, WELL: 1, SAMPLE: 2, PROTEIN: 3})
    class_number = {name: number for number, name in enumerate(classes.names)}
    table = pl.concat(parts).with_columns(pl.col("share").fill_nan(None))
    return table.sort(level_number, "unit", pl.col("class").replace_strict(class_number))


def _of_level(
    level: str,
    unit: npt.NDArray[np.str_],
    cells: pl.DataFrame,
    said: tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]],
    rates: dict[bool, list[Rates | None]],
    classes: tuple[str, ...],
) -> list[pl.DataFrame]:
    """The rows of one level; units with a field that taught a model have rates of their own."""
    claimed, chance = said
    names, number = np.unique(unit, return_inverse=True)
    units = cells.with_columns(pl.Series("_unit", number)).group_by("_unit").agg(
        pl.col("Weak_labels").explode().drop_nulls().unique().sort(),
        pl.col("Weak_labels").is_not_null().any().alias("known"),
        pl.col("taught").any(),
    ).sort("_unit")  # fmt: skip
    given = labels_matrix(units["Weak_labels"], classes).astype(np.int8)
    given[~units["known"].to_numpy()] = -1
    labels = units.select(pl.when("known").then(pl.col("Weak_labels").list.join("|")))
    parts = []
    for taught in (True, False):
        chosen = units["taught"].to_numpy() == taught
        mine = chosen[number]
        if not mine.any():
            continue
        place = (np.cumsum(chosen) - 1)[number[mine]]
        found = patterns_of(claimed[mine], chance[mine], place, rates[taught], given[chosen])
        facts = {
            "level": [level] * len(found.cells), "unit": names[chosen].tolist(),
            "labels": labels.to_series().filter(pl.Series(chosen)), "cells": found.cells,
            "entropy": found.entropy, "mixture": found.mixed.any(axis=1),
        }  # fmt: skip
        parts += [
            pl.DataFrame(
                {
                    **facts, "class": [name] * len(found.cells), "claimed": found.claimed[:, k],
                    "share": found.share[:, k], "low": found.low[:, k], "high": found.high[:, k],
                    "by": ["bounds" if rates[taught][k] is None else "audit"] * len(found.cells),
                    "mixed": found.mixed[:, k],
                },
                schema=_SCHEMA,
            )
            for k, name in enumerate(classes)
        ]  # fmt: skip
    return parts


_SCHEMA = {
    "level": pl.String, "unit": pl.String, "labels": pl.String, "cells": pl.Int64,
    "entropy": pl.Float64, "mixture": pl.Boolean, "class": pl.String, "claimed": pl.Float64,
    "share": pl.Float64, "low": pl.Float64, "high": pl.Float64, "by": pl.String,
    "mixed": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shown:
    rows: pl.DataFrame
    shows: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    group: Groups


def _labelled(told: Told, classes: ClassList) -> _Shown | None:
    known = told.labelled
    if known is None or known.draw is None:
        return None
    rows = known.cells.rows.select(_KEY)
    weight = weights_of(known.draw, rows, known.shows)
    group = numbered(known.cells.group)
    return _Shown(rows, with_negative(known.shows, classes), weight, group)


def _new(told: Told, classes: ClassList) -> _Shown | None:
    if told.new is None or told.new.cells is None:
        return None
    cells = told.new.cells
    rows = cells.rows.select(_KEY)
    weight = weights_of(told.new.draw, rows, told.new.shows)
    return _Shown(rows, with_negative(told.new.shows, classes), weight, cells.group)


def _rates(
    cells: pl.DataFrame, claimed: npt.NDArray[np.bool_], classes: ClassList, shown: _Shown | None
) -> list[Rates | None]:
    """The rates of each class by judged cells that are among these."""
    if shown is None:
        return [None] * len(classes.names)
    place = cells.select(_KEY).with_row_index("at")
    found = shown.rows.with_row_index("row").join(place, on=_KEY, how="inner")
    row, at = found["row"].to_numpy(), found["at"].to_numpy()
    return [
        rates_of(claimed[at, k], shown.shows[row, k], shown.weight[row], shown.group[row])
        for k in range(len(classes.names))
    ]


def _units(cells: pl.DataFrame) -> list[tuple[str, npt.NDArray[np.str_]]]:
    """The levels that are known, and the name of each cell's unit."""
    found = [(FIELD, cells["site_id"].to_numpy().astype(str))]
    for level, columns in _NAMED.items():
        column = next((name for name in columns if name in cells.columns), None)
        if column is None or not cells[column].drop_nulls().len():
            continue
        name = pl.col(column)
        if level == WELL and "Metadata_Plate" in cells.columns:
            name = pl.concat_str("Metadata_Plate", name, separator=" ", ignore_nulls=True)
        named = cells.select(pl.when(pl.col(column).is_null()).then("site_id").otherwise(name))
        found.append((level, named.to_series().to_numpy().astype(str)))
    return found
