"""What the page is told of verdicts: of one class, of whole cells, of one cell."""

from typing import Any

import polars as pl

from cellwise.app.view.data.opened import Opened
from cellwise.store.annotations.words import YES


def said_of_class(opened: Opened, name: str, who: str) -> dict[str, Any]:
    """What was said of one class: rows, the visitor's word and others' on each."""
    said = opened.said.now()
    rows = said.rows.filter(pl.col("class") == name).sort("row", "who")
    mine = rows.filter(pl.col("who") == who)
    others = rows.filter(pl.col("who") != who)
    return {
        "version": said.version,
        "mine": [[row, verdict] for row, verdict in mine.select("row", "verdict").iter_rows()],
        "others": [list(one) for one in others.select("row", "verdict", "who").iter_rows()],
    }


def said_of_cells(opened: Opened, who: str) -> dict[str, Any]:
    """What was said of whole cells: how many classes of each were judged, and which seen."""
    said = opened.said.now()
    differ = set(said.contradicted["row"].to_list())
    yes = pl.col("class").filter(pl.col("verdict") == YES)
    one = said.rows.group_by("row", "who").agg(
        pl.col("class").n_unique().alias("count"), yes.sort().alias("seen")
    )
    rows = one.sort("row", "who")
    mine = rows.filter(pl.col("who") == who).select("row", "count", "seen")
    others = rows.filter(pl.col("who") != who).select("row", "count", "who")
    return {
        "version": said.version,
        "mine": [list(one) for one in mine.iter_rows()],
        "others": [
            [row, "differ" if row in differ else "", count, by]
            for row, count, by in others.iter_rows()
        ],
    }


def said_of_row(opened: Opened, row: int) -> list[dict[str, str]]:
    """All that was said of one cell."""
    rows = opened.said.now().rows.filter(pl.col("row") == row).sort("class", "who")
    return rows.select("class", "verdict", "who", "when", "drawn").to_dicts()
