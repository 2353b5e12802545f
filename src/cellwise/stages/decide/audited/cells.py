"""Judged cells of the random draw of a run, as the step `decide` may fit to them.

Such a cell was drawn at random, has a score of a model that saw neither its field nor its group,
and taught nothing: a cell whose verdict stood in place of its label is left out.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.labeller import BY_HAND
from cellwise.domain.classes import ClassList
from cellwise.domain.tables import LABELS
from cellwise.domain.units import group_numbers
from cellwise.measures.audit import stands_for
from cellwise.stages.decide.audited.curves import Asked
from cellwise.store.annotations.at_random import Strata, verdicts_at_random
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

PARTS = 5

_KEY = ["site_id", "cell_id"]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """Cells that people judged and chance drew.

    Args:
        row: `[cell]`, their rows in the table of cells, rising.
        shows: `[cell, class]`, 1 seen, 0 refused, NaN not known.
        strata: What they were drawn from; None where that is not known.
        group: `[cell]`, numbers of groups of cells that are alike.
        part: `[cell]`, in which of `PARTS` parts its group is.
        why: Why nothing can be fitted; empty else.
        left_out: Judged cells of the draw that taught, and those without a held-out score.
    """

    row: Numbers
    shows: Floats
    strata: Strata | None
    group: Numbers
    part: Numbers
    why: str
    left_out: dict[str, int]

    def asked(self, column: int) -> Asked:
        """One class."""
        return self._of(self.shows[:, column])

    def none(self) -> Asked:
        """Whether a cell shows any class: known where one was seen, or all were judged."""
        some = (self.shows == 1).any(axis=1)
        known = some | np.isfinite(self.shows).all(axis=1)
        return self._of(np.where(known, some.astype(np.float64), np.nan))

    def _of(self, shows: Floats) -> Asked:
        if self.strata is None:
            return Asked(shows, None, self.group)
        weight = stands_for(self.strata.there, self.strata.stratum, np.isfinite(shows))
        return Asked(shows, weight, self.group)


def judged_cells(
    run: RunFolder,
    path: Path,
    classes: ClassList,
    sites: pl.DataFrame,
    cells: pl.DataFrame,
    clean: Flags,
    *,
    seed: int,
) -> Judged:
    """What people said of cells drawn at random.

    Args:
        run: The run folder.
        path: The table of verdicts.
        classes: The classes of the run.
        sites: One row per site: `labels`, `fold`, `group`.
        cells: One row per cell.
        clean: `[cell]`, whether its score is of models that left it out.
        seed: By which groups are put in parts.

    Raises:
        PreflightError: The table cannot be understood or names no cell of the run.
        FormatError: A file of another kind.
    """
    of_cell = cells.select(_KEY).join(
        sites.select("site_id", "group", (pl.col("labels").list.len() > 0).alias("labelled")),
        on="site_id", how="left", maintain_order="left",
    )  # fmt: skip
    labelled = of_cell["labelled"].fill_null(value=False).to_numpy()
    found = verdicts_at_random(run, path, cells, classes, drawable=int((labelled & clean).sum()))
    known = np.isfinite(found.shows).any(axis=1) & labelled
    if found.strata is not None:
        known &= found.strata.stratum >= 0
    taught = _taught(run, cells)
    used = known & clean & ~taught
    row = np.flatnonzero(used)
    group = group_numbers([of_cell["group"]], of_cell["site_id"])[row]
    strata = None if found.strata is None else Strata(found.strata.stratum[row], found.strata.there)
    why = found.why
    if not why and not len(row):
        why = (
            "all of its cells taught: set label.hold_out_random=true"
            if (known & taught).any()
            else "none of its cells has a score of a model that left it out"
        )
    return Judged(
        row,
        found.shows[row].astype(np.float64),
        strata,
        group,
        _parts(group, seed),
        why,
        {"taught": int((known & taught).sum()), "not_held_out": int((known & ~clean).sum())},
    )


def _parts(group: Numbers, seed: int) -> Numbers:
    """`[cell]`: groups by chance into parts of as many groups each."""
    names, number = np.unique(group, return_inverse=True)
    place = np.random.default_rng([seed, len(names)]).permutation(len(names))
    return np.asarray(place[number.reshape(-1)] % PARTS, np.int64)


def _taught(run: RunFolder, cells: pl.DataFrame) -> Flags:
    """`[cell]`: whether a verdict stands in place of its label in any table of labels."""
    told = np.zeros(len(cells), bool)
    for path in sorted(run.path.glob("labels/*.parquet")):
        if path.name.endswith(".candidates.parquet"):
            continue
        rows = read_table(path, LABELS, columns=[*_KEY, "reason"])
        by_hand = rows.filter(pl.col("reason") == BY_HAND).select(_KEY)
        place = cells.select(_KEY).join(
            by_hand.with_columns(hand=pl.lit(value=True)), on=_KEY, how="left",
            maintain_order="left",
        )  # fmt: skip
        told |= place["hand"].fill_null(value=False).to_numpy()
    return told


def words_of(judged: Judged) -> dict[str, Any]:
    """What was not used, for the record."""
    found: dict[str, Any] = {"cells": len(judged.row)}
    found |= {name: count for name, count in judged.left_out.items() if count}
    return found | ({"why": judged.why} if judged.why else {})
