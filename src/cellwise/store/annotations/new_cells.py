"""What prediction sets are made from: cells of fields that no model learned from, and verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.tables import PREDICTIONS
from cellwise.domain.units import CELL, sample_numbers
from cellwise.errors import FormatError, PreflightError
from cellwise.store.annotations.draws import NEW, Draw, drawn_from_these_masks, read_draw
from cellwise.store.annotations.inherited import (
    Inherited,
    draw_of,
    inherited_cells,
    shown,
    shown_in,
)
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import column_names, read_table

_KEY = ["site_id", "cell_id"]
# Flags of cells and fields of which too little can be seen to promise anything.
BORDER, OUT_OF_FOCUS = "border", "out_of_focus"


@dataclass(frozen=True, slots=True)
class NewCells:
    """The cells that an audit of new fields draws from.

    Args:
        rows: `site_id`, `cell_id`, `x` and `y` of each, sorted.
        classes: All classes of the run.
        chance: `[cell, class]` in 0..1.
        group: `[cell]`, numbers: cells of one sample where metadata name it, else of one well, else
            of one field.
        left_out: Cells of such fields that nothing is promised of: at a border or out of focus.
    """

    rows: pl.DataFrame
    classes: ClassList
    chance: npt.NDArray[np.float64]
    group: npt.NDArray[np.int64]
    left_out: int


@dataclass(frozen=True, slots=True)
class NewDraw:
    """Cells of new fields that were drawn at random, and what people saw of them.

    Args:
        draw: What was drawn.
        cells: What it was drawn from; None where that is gone.
        shows: `[cell, positive class]`, 1 or 0 as people saw it, NaN else.
        gone: Why `cells` is None, as a sentence.
    """

    draw: Draw
    cells: NewCells | None
    shows: npt.NDArray[np.float64]
    gone: str = ""


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Cells of labelled fields as single folds speak of them, and what people saw of a draw."""

    cells: Inherited
    draw: Draw | None
    shows: npt.NDArray[np.float64]


def new_draw(run: RunFolder) -> NewDraw | None:
    """The draw from new fields with its verdicts; None before there is one.

    Raises:
        FormatError: A record or a save is torn.
    """
    draw = read_draw(run, NEW)
    if draw is None:
        return None
    none = np.zeros((0, 0))
    try:
        cells = new_cells(run)
    except PreflightError as error:
        return NewDraw(draw, None, none, str(error))
    if not drawn_from_these_masks(run, draw) or draw.there.sum() != len(cells.rows):
        again = f"Move {NEW}.json and {NEW}.csv away and draw again."
        return NewDraw(
            draw, None, none, f"The draw is of other cells than the run has today. {again}"
        )
    return NewDraw(draw, cells, shown_in(run, draw, cells.rows, cells.classes.positive))


def labelled_cells(run: RunFolder) -> LabelledCells | None:
    """Cells of labelled fields with the verdicts on a draw from them; None without such cells."""
    try:
        cells = inherited_cells(run)
    except PreflightError:
        return None
    try:
        draw = draw_of(run, cells)
    except PreflightError:
        draw = None
    return LabelledCells(cells, draw, shown(run, draw, cells))


def applied_run(run: RunFolder) -> RunFolder | None:
    """The run whose models this one applies, where it is there and decides as it did."""
    record = read_json(run.record) if run.record.is_file() else {}
    told = (record.get("inputs") or {}).get("fitted")
    if not told:
        return None
    home = RunFolder(Path(str(told)))
    own, theirs = run.decision("decide"), home.decision("decide")
    try:
        same = own.is_file() and theirs.is_file() and read_json(own) == read_json(theirs)
    except FormatError:
        same = False
    return home if same else None


def new_cells(run: RunFolder) -> NewCells:
    """The cells of fields that no model learned from.

    Of a finished run these are fields without a label and those of the test part, of a run that
    applies another's models all of its fields.

    Raises:
        PreflightError: There are none.
    """
    if not run.predictions.is_file() or not run.decision("decide").is_file():
        raise PreflightError(f"{run.path} holds no predictions: let `cellwise run` finish first.")
    decided = read_json(run.decision("decide"))
    classes = ClassList(tuple(decided["classes"]), decided["negative"])
    columns = [f"Prob_{name}" for name in classes.names]
    there = column_names(run.predictions, PREDICTIONS)
    if not set(columns) <= set(there):
        raise PreflightError(f"{run.path}: prediction sets need a probability of each class.")
    names = ["unit", *_KEY, "x", "y", *columns, *flag_columns(there)]
    rows = read_table(run.predictions, PREDICTIONS, columns=names)
    rows = rows.filter((pl.col("unit") == CELL) & ~pl.col("site_id").is_in(_taught(run)))
    chance = rows.select(columns).to_numpy().astype(np.float64).reshape(len(rows), len(columns))
    rows = rows.filter(pl.Series(np.isfinite(chance).all(axis=1)))
    flagged = abstained(rows, blurred_sites(run)).is_not_null()
    kept = rows.filter(~flagged).sort(_KEY)
    if not len(kept):
        raise PreflightError(
            f"{run.path}: a model learned from every field, so its cells cannot show what the "
            "models are worth on new ones. Apply the run to new images (cellwise predict) and "
            "audit those."
        )
    chance = kept.select(columns).to_numpy().astype(np.float64).reshape(len(kept), len(columns))
    return NewCells(
        kept.select(*_KEY, "x", "y"), classes, chance, _groups(run, kept), int(flagged.sum())
    )


def abstained(rows: pl.DataFrame, blurred: frozenset[str]) -> pl.Series:
    """Why nothing is promised of each cell, flags joined by `|`; null where there is no reason.

    Args:
        rows: Rows of the predictions table.
        blurred: Sites that are out of focus as a whole.
    """
    edge = (
        pl.col("border").fill_null(value=False) if "border" in rows.columns else pl.lit(value=False)
    )
    soft = pl.col("site_id").is_in(sorted(blurred))
    if "flags" in rows.columns:
        soft = soft | pl.col("flags").list.contains(OUT_OF_FOCUS).fill_null(value=False)
    words = pl.concat_str(
        pl.when(edge).then(pl.lit(BORDER)),
        pl.when(soft).then(pl.lit(OUT_OF_FOCUS)),
        separator="|",
        ignore_nulls=True,
    )
    found = rows.select(Abstain=pl.when(edge | soft).then(words))
    return found["Abstain"].cast(pl.String)


def flag_columns(there: Sequence[str]) -> list[str]:
    """Those columns of a predictions table that `abstained` reads."""
    return [name for name in ("border", "flags") if name in there]


def blurred_sites(run: RunFolder) -> frozenset[str]:
    """Sites that the step `curate` found out of focus."""
    found = RunReader(run).curation()
    soft = found.filter(pl.col("flags").list.contains(OUT_OF_FOCUS).fill_null(value=False))
    return frozenset(soft["site_id"].to_list())


def _taught(run: RunFolder) -> list[str]:
    """Sites that models of this run learned from, or may have."""
    record = read_json(run.record) if run.record.is_file() else {}
    if (record.get("inputs") or {}).get("fitted"):
        return []
    return RunReader(run).labelled_sites()["site_id"].to_list()


def _groups(run: RunFolder, rows: pl.DataFrame) -> npt.NDArray[np.int64]:
    sites = RunReader(run).sites()
    sample = pl.Series("group", sample_numbers(sites))
    where = RunReader(run).units().filter(pl.col("unit") == "site").select(site_id="site", w="well")
    if sample.n_unique() == len(sites):
        wells = sites.select("site_id").join(where, on="site_id", how="left", maintain_order="left")
        named = wells.select(pl.coalesce("w", "site_id")).to_series()
        sample = named.rank("dense").cast(pl.Int64).alias("group")
    of_site = sites.select("site_id").with_columns(sample.alias("group"))
    found = rows.join(of_site, on="site_id", how="left", maintain_order="left")
    return found["group"].to_numpy().astype(np.int64)
