"""What people said of cells drawn at random for an audit, set beside the cells of today."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.errors import PreflightError
from cellwise.store.annotations.draws import draw_beside, drawn_from_these_masks
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.outlines import Followed, followed
from cellwise.store.annotations.saves import last_words
from cellwise.store.annotations.tables import Brought, read_verdicts
from cellwise.store.annotations.words import NO, RANDOM, YES
from cellwise.store.run.folder import RunFolder

Floats32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

_KEY = ["site_id", "cell_id"]
# Of the cells of labelled fields, the share that a draw was made from.
_LEAST_DRAWN_FROM = 0.9


@dataclass(frozen=True, slots=True)
class Strata:
    """What cells were drawn from.

    Args:
        stratum: `[cell]`, numbers from 0 of drawn cells, -1 for the others.
        there: `[stratum]`, cells that were drawn from.
    """

    stratum: Numbers
    there: Numbers


@dataclass(frozen=True, slots=True)
class AtRandom:
    """Verdicts on cells of a random draw.

    Args:
        shows: `[cell, class]`, 1 for seen, 0 for refused, NaN for no verdict, for people who
            contradict each other, and where all are unsure.
        strata: What was drawn from; None where that is not known, or not of these cells.
        why: Why nothing is known; empty else.
    """

    shows: Floats32
    strata: Strata | None
    why: str


def verdicts_of(run: RunFolder, path: Path, classes: ClassList) -> tuple[Brought, Followed]:
    """A table of verdicts, and those of its rows that are of cells of today.

    Verdicts of a table of the user's are kept in the run.

    Raises:
        PreflightError: The table cannot be understood, names no cell of the run, or names numbers
            of cells of masks that are gone.
        FormatError: A file of another kind.
    """
    brought = read_verdicts(path, classes.positive, classes.negative)
    today = followed(brought.rows, run.masks) if brought.ours else imported(run, path, brought)
    if len(brought.rows) and not len(today.found):
        named = ", ".join(f"cell {cell} of {site}" for site, cell in today.lost[:3])
        raise PreflightError(
            f"{path}: none of its cells is one of this run's ({named}, ...). Give "
            "verdicts on these images, with site_id as in cells.parquet."
        )
    return brought, today


def verdicts_at_random(
    run: RunFolder, path: Path, cells: pl.DataFrame, classes: ClassList, *, drawable: int
) -> AtRandom:
    """What people said of cells drawn at random from those of labelled fields.

    Args:
        run: The run folder.
        path: The table of verdicts; the record of the draw stands beside it.
        cells: `site_id` and `cell_id` of the cells that are asked for.
        classes: All classes of the run.
        drawable: How many cells a draw of today would be made from.

    Raises:
        PreflightError: As `verdicts_of`.
        FormatError: A file of another kind, or the record of the draw is torn.
    """
    _, today = verdicts_of(run, path, classes)
    rows = last_words(today.found).filter(pl.col("drawn") == RANDOM)
    shows, _ = what_all_say(rows, cells, classes.positive)
    strata, why = strata_of_draw(run, path, rows, cells, drawable)
    return AtRandom(shows, strata, why if len(rows) else "no cell of a random draw was judged")


def strata_of_draw(
    run: RunFolder, path: Path, rows: pl.DataFrame, cells: pl.DataFrame, drawable: int
) -> tuple[Strata | None, str]:
    """The strata of judged cells of the draw beside a table; or why they are not known.

    Args:
        run: The run folder.
        path: The table.
        rows: Verdicts on cells of today.
        cells: `site_id` and `cell_id` of the cells that are asked for.
        drawable: How many cells a draw of today would be made from.
    """
    draw = draw_beside(path)
    if draw is None:
        return None, "no draw.json stands beside the table"
    if not drawn_from_these_masks(run, draw):
        return None, "it was drawn from other masks"
    # Cells of which nothing was measured are not drawn from; more are fields that got labels since.
    if not _LEAST_DRAWN_FROM * drawable <= draw.there.sum() <= drawable:
        return (
            None,
            f"it was drawn from {draw.there.sum():,} cells, not from today's {drawable:,}",
        )
    said = rows.filter(pl.col("drawn") == RANDOM).select(_KEY).unique()
    drawn = draw.drawn.select(*_KEY, "stratum").join(said, on=_KEY, how="semi")
    place = cells.select(_KEY).join(drawn, on=_KEY, how="left", maintain_order="left")
    return Strata(place["stratum"].fill_null(-1).to_numpy().astype(np.int64), draw.there), ""


def what_all_say(
    rows: pl.DataFrame, cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[Floats32, list[str]]:
    """`[cell, class]` what all people together say, and `site/cell: class` of contradictions.

    Who is unsure says nothing; where people contradict each other nothing is said.
    """
    said = rows.filter(pl.col("verdict").is_in([YES, NO]))
    one = said.group_by(*_KEY, "class", maintain_order=True).agg(
        pl.col("verdict").n_unique().alias("voices"), pl.col("verdict").first()
    )
    against = one.filter(pl.col("voices") > 1).sort(*_KEY, "class")
    place = cells.select(_KEY).with_row_index("row").join(one, on=_KEY, how="inner")
    place = place.filter(pl.col("voices") == 1)
    result = np.full((len(cells), len(classes)), np.nan, np.float32)
    columns = [classes.index(name) for name in place["class"]]
    result[place["row"].to_numpy(), columns] = (place["verdict"] == YES).to_numpy()
    return result, [f"{site}/{cell}: {name}" for site, cell, name in against[*_KEY, "class"].rows()]
