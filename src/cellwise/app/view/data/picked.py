"""Cells drawn at random, and cells near those that people saw showing a class."""

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.near_known import near_cells
from cellwise.app.view.data.cells import Cells
from cellwise.app.view.data.said import Said, TodaysMasks
from cellwise.store.annotations.draws import Draw, read_draw
from cellwise.store.run.embeddings import embedding_names
from cellwise.store.run.folder import RunFolder

Rows = npt.NDArray[np.int64]


def drawn_rows(run: RunFolder, cells: Cells, masks: TodaysMasks) -> Rows:
    """The rows of the random draw in the order in which they are to be judged.

    Cells of fields that were segmented again are none of it. Empty where nothing was drawn.

    Raises:
        FormatError: The record of the draw is torn.
    """
    draw = read_draw(run)
    return np.zeros(0, np.int64) if draw is None else rows_of_draw(draw, cells, masks)


def rows_of_draw(draw: Draw, cells: Cells, masks: TodaysMasks) -> Rows:
    """The rows of a draw's cells that are cells of today, in its order."""
    keys = {site: masks.key(site) for site in draw.drawn["site_id"].unique().to_list()}
    rows = [
        cells.row_of(site, cell)
        for site, cell, key in draw.drawn.select("site_id", "cell_id", "mask_key").iter_rows()
        if keys[site] == key
    ]
    return np.array([row for row in rows if row is not None], np.int64)


def near_rows(run: RunFolder, cells: Cells, name: str, said: Said) -> Rows:
    """The rows of cells near those known to show a class, the most alike first.

    Raises:
        PreflightError: Too little is known of the class, or the run has no embeddings of cells.
        UsageError: It has none at all.
    """
    of_class = said.rows.filter(pl.col("class") == name)
    at = of_class["row"].to_numpy()
    ids = np.array(cells.fields.ids, object)
    judged = pl.DataFrame(
        {
            "site_id": ids[cells.site[at]].astype(str) if len(at) else [],
            "cell_id": cells.cell[at],
            "verdict": of_class["verdict"],
        },
        schema={"site_id": pl.String, "cell_id": pl.Int32, "verdict": pl.String},
    )
    # Of several embeddings the first: whoever wants another one asks `cellwise audit --near`.
    steps = embedding_names(run)
    found = near_cells(run, name, judged, embeddings=steps[0] if steps else "").cells
    rows = [cells.row_of(*place) for place in found.select("site_id", "cell_id").iter_rows()]
    return np.array([row for row in rows if row is not None], np.int64)
