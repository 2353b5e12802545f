"""Cells that inherit labels: what fields say, what models say, and what people saw of a draw."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.tables import PREDICTIONS
from cellwise.domain.units import CELL
from cellwise.errors import PreflightError
from cellwise.store.annotations.draws import Draw, drawn_from_these_masks, read_draw
from cellwise.store.annotations.saves import annotations, last_words
from cellwise.store.annotations.words import NO, RANDOM, YES
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader, labels_matrix
from cellwise.store.run.tables import column_names, read_table

_KEY = ["site_id", "cell_id"]


@dataclass(frozen=True, slots=True)
class Inherited:
    """The cells of labelled fields.

    Args:
        rows: `site_id`, `cell_id`, `x`, `y` and `labels` of each, sorted.
        classes: The positive classes.
        inherited: `[cell, class]`, whether the cell's field has the class.
        chance: `[cell, class]` in 0..1, what a model says that has not seen the field.
        group: `[cell]`, the group of the split, else the field.
        copies: Fields that were left out, since they show the same as another one.
    """

    rows: pl.DataFrame
    classes: tuple[str, ...]
    inherited: npt.NDArray[np.bool_]
    chance: npt.NDArray[np.float64]
    group: npt.NDArray[np.str_]
    copies: int = 0


def inherited_cells(run: RunFolder) -> Inherited:
    """The cells of labelled fields that have a probability from a model that saw none of them.

    Fields that show the same as another labelled one are left out, see the step `curate`, unless
    cells were drawn when they were not.

    Raises:
        PreflightError: There are none.
    """
    if not run.predictions.is_file():
        raise PreflightError(f"{run.path} holds no predictions: let `cellwise run` finish first.")
    listed = (read_json(run.reading) if run.reading.is_file() else {}).get("classes")
    if not listed:
        raise PreflightError(f"{run.path} has no labels of fields that cells could inherit.")
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
    rows, chance, copies = _counted_once(run, rows, chance)
    if not len(rows):
        raise PreflightError(
            f"{run.path}: no cell of a labelled field has a probability from a model that has not "
            "seen the field. An audit needs a recipe that labels cells, with a step 'split'."
        )
    group = rows["group"].fill_null(rows["site_id"]).to_numpy().astype(str)
    inherited = labels_matrix(rows["labels"], classes)
    return Inherited(rows, classes, inherited, chance, group, copies)


def _counted_once(
    run: RunFolder, rows: pl.DataFrame, chance: npt.NDArray[np.float64]
) -> tuple[pl.DataFrame, npt.NDArray[np.float64], int]:
    """Rows and probabilities without those of copies, and how many fields these are."""
    again = rows["site_id"].is_in(list(RunReader(run).copies()))
    draw = read_draw(run)
    if not again.any() or (draw is not None and draw.there.sum() == len(rows)):
        return rows, chance, 0
    return rows.filter(~again), chance[~again.to_numpy()], rows.filter(again)["site_id"].n_unique()


def draw_of(run: RunFolder, cells: Inherited) -> Draw | None:
    """The draw of a run; None where there is none.

    Raises:
        PreflightError: It is of other cells than the run has today.
    """
    draw = read_draw(run)
    if draw is not None and not (
        drawn_from_these_masks(run, draw) and draw.there.sum() == len(cells.rows)
    ):
        raise PreflightError(
            f"The draw in {run.annotations} is of other cells than the run has today. Move "
            "draw.json and draw.csv away and draw again."
        )
    return draw


def shown(run: RunFolder, draw: Draw | None, cells: Inherited) -> npt.NDArray[np.float64]:
    """`[cell, class]`: what people saw in drawn cells, NaN without, unsure or contradicted."""
    return shown_in(run, draw, cells.rows, cells.classes)


def shown_in(
    run: RunFolder, draw: Draw | None, rows: pl.DataFrame, classes: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """The same of any cells.

    Args:
        run: The run folder.
        draw: The cells that were drawn at random; None for none.
        rows: `site_id` and `cell_id` of the cells.
        classes: The positive classes.
    """
    shows = np.full((len(rows), len(classes)), np.nan)
    if draw is None:
        return shows
    said = last_words(annotations(run)).filter(
        (pl.col("drawn") == RANDOM) & pl.col("class").is_in(classes)
    )
    said = said.join(draw.drawn, on=[*_KEY, "mask_key"], how="semi")
    one = said.group_by(*_KEY, "class").agg(
        pl.col("verdict").n_unique().alias("voices"), pl.col("verdict").first()
    )
    one = one.filter((pl.col("voices") == 1) & pl.col("verdict").is_in([YES, NO]))
    place = rows.select(_KEY).with_row_index("row").join(one, on=_KEY, how="inner")
    columns = [classes.index(name) for name in place["class"]]
    shows[place["row"].to_numpy(), columns] = (place["verdict"] == YES).to_numpy()
    return shows
