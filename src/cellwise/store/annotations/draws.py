"""The random draw of cells for an audit: what was drawn with which chances, and the sheet to fill.

`annotations/draw.json` is written once and says what was drawn; `annotations/draw.csv` is the sheet
that a person fills, in an order of chance, so that any first part of it is a draw as well. Cells of
fields that no model learned from have a draw of their own, `draw-new.json` and `draw-new.csv`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.errors import FormatError, PreflightError
from cellwise.store.annotations.sheets import write_sheet
from cellwise.store.annotations.words import RANDOM
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import mask_key, mask_path

_KEY = ("site_id", "cell_id", "mask_key", "stratum")
# Draws of a run: from cells of labelled fields, and from those of fields no model learned from.
LABELLED, NEW = "draw", "draw-new"


@dataclass(frozen=True, slots=True)
class Draw:
    """Cells that were drawn at random.

    Args:
        drawn: `site_id`, `cell_id`, `mask_key` and `stratum` (numbers from 0) of each.
        there: `[stratum]`, cells that it was drawn from.
        seed: What it was drawn by.
    """

    drawn: pl.DataFrame
    there: npt.NDArray[np.int64]
    seed: int


def write_draw(
    run: RunFolder, cells: pl.DataFrame, there: Sequence[int], seed: int, *, name: str = LABELLED
) -> Draw:
    """Write a draw and its sheet; every row gets the key of its field's masks.

    Args:
        run: The run folder.
        cells: `site_id`, `cell_id`, `x`, `y` and `stratum` of the drawn cells, in the order
            in which they are to be looked at.
        there: `[stratum]`, cells that were drawn from.
        seed: What they were drawn by.
        name: `LABELLED` or `NEW`.

    Raises:
        PreflightError: There is a draw already.
    """
    record, sheet = run.annotations / f"{name}.json", run.annotations / f"{name}.csv"
    if record.exists() or sheet.exists():
        raise PreflightError(
            f"{run.annotations} holds a draw already: judge its cells in {name}.csv. To draw "
            f"again, move {name}.json and {name}.csv away; verdicts stay, and count "
            "for cells drawn again."
        )
    # The record comes last: where it is, the sheet is.
    rows = write_sheet(run, sheet, cells, drawn=RANDOM)
    content = {"seed": seed, "cells": list(there), "drawn": [list(r) for r in rows[_KEY].rows()]}
    write_text(record, json.dumps(content))
    return Draw(rows.select(_KEY), np.array(there, np.int64), seed)


def read_draw(run: RunFolder, name: str = LABELLED) -> Draw | None:
    """The draw of a run, `LABELLED` or `NEW`; None where there is none.

    Raises:
        FormatError: Its record is torn.
    """
    return _read(run.annotations / f"{name}.json")


def draw_beside(table: Path) -> Draw | None:
    """The draw whose record stands in the folder of a table of verdicts; None where there is none.

    Raises:
        FormatError: The record is torn.
    """
    return _read(table.parent / f"{LABELLED}.json")


def _read(path: Path) -> Draw | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = read_json(path)
    kinds = pl.Schema(
        {
            "site_id": pl.String(),
            "cell_id": pl.Int32(),
            "mask_key": pl.String(),
            "stratum": pl.Int64(),
        }
    )
    try:
        drawn = pl.DataFrame(content["drawn"], schema=kinds, orient="row")
        there = np.array(content["cells"], np.int64)
        seed = int(content["seed"])
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise FormatError(f"{path} is no draw of cells: {error}") from error
    return Draw(drawn, there, seed)


def drawn_from_these_masks(run: RunFolder, draw: Draw) -> bool:
    """Whether every field of which a cell was drawn has the masks that it was drawn from."""
    fields = draw.drawn.select("site_id", "mask_key").unique()
    return all(
        mask_path(run.masks, site, "cells").is_file() and mask_key(run.masks, site) == key
        for site, key in fields.iter_rows()
    )
