"""Columns on what may be said of single cells: why nothing is promised, and prediction sets.

`Abstain` says why nothing is promised of a cell: `border`, `out_of_focus`, and where a finished run
was applied `unlike`, of all cells where they are of another kind (`flow.far_cells`). `May_show` and
`Surely_shows` are there only where an audit of new fields promises something, see
`measures.conformal`; they hold classes whose threshold is known, and nothing for cells that
`Abstain` names.
"""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from cellwise.contracts.exporter import RunTables
from cellwise.measures.prediction_sets import Promise, promise_of
from cellwise.store.annotations.new_cells import (
    abstained,
    applied_run,
    blurred_sites,
    new_draw,
)
from cellwise.store.run.folder import RunFolder, read_json

_LIST = pl.List(pl.String)
UNLIKE = "unlike"


def set_columns(run: RunTables) -> Callable[[pl.DataFrame], list[pl.Series]]:
    """What gives rows of the run's predictions these columns."""
    folder = RunFolder(run.path)
    promise, blurred, unlike = _promised(folder), blurred_sites(folder), _is_unlike(folder)

    def columns(rows: pl.DataFrame) -> list[pl.Series]:
        why = abstained(rows, blurred)
        why = _with_unlike(why) if unlike else why
        if promise is None or not {f"Prob_{name}" for name in promise.classes} <= set(rows.columns):
            return [why]
        spoken = why.is_null().to_numpy()
        return [
            why,
            pl.Series("May_show", _reached(rows, promise, promise.may, spoken), dtype=_LIST),
            pl.Series("Surely_shows", _reached(rows, promise, promise.surely, spoken), dtype=_LIST),
        ]

    return columns


def _is_unlike(run: RunFolder) -> bool:
    """Whether the cells are not of the kind that the applied models have learned from."""
    record = read_json(run.record) if run.record.is_file() else {}
    return any(facts.get("unlike") for facts in (record.get("far_cells") or {}).values())


def _with_unlike(why: pl.Series) -> pl.Series:
    """The reasons with `unlike` behind them, of every cell."""
    words = pl.concat_str(why.name, pl.lit(UNLIKE), separator="|", ignore_nulls=True)
    return why.to_frame().select(words.alias(why.name)).to_series()


def _promised(run: RunFolder) -> Promise | None:
    """By the run's own audit, or by that of the run whose models it applies."""
    for folder in (run, applied_run(run)):
        found = None if folder is None else promise_of(new_draw(folder))
        if found is not None:
            return found
    return None


def _reached(
    rows: pl.DataFrame, promise: Promise, edges: Sequence[float | None], spoken: np.ndarray
) -> list[list[str] | None]:
    """Names of the classes whose threshold a cell reaches; None for cells nothing is said of."""
    known = [
        (name, edge) for name, edge in zip(promise.classes, edges, strict=True) if edge is not None
    ]
    found: list[list[str] | None] = [[] if one else None for one in spoken.tolist()]
    for name, edge in known:
        reached = rows[f"Prob_{name}"].to_numpy().astype(np.float64) >= edge
        for cell in np.flatnonzero(reached & spoken).tolist():
            own = found[cell]
            assert own is not None
            own.append(name)
    return found
