"""What people said of cells: read, kept in the run, given to today's cells, put in labels.

A verdict counts only for the cell it was given to. Where masks were made anew it goes to the cell
that has its outline; where no cell has, it is counted and named, and no other cell gets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.contracts.labeller import BY_HAND, Bags, CellLabels, Floats
from cellwise.domain.classes import ClassList
from cellwise.errors import PreflightError
from cellwise.measures.audit import weights
from cellwise.stages.label.spec import Options
from cellwise.store.annotations.draws import draw_beside, drawn_from_these_masks
from cellwise.store.annotations.imported import imported
from cellwise.store.annotations.outlines import followed
from cellwise.store.annotations.saves import last_words
from cellwise.store.annotations.tables import read_verdicts
from cellwise.store.annotations.words import NO, RANDOM, YES
from cellwise.store.run.folder import RunFolder

_KEY = ["site_id", "cell_id"]
_NAMED = 20
# Of the cells of labelled fields, the share that a draw was made from.
_LEAST_DRAWN_FROM = 0.9


@dataclass(frozen=True, slots=True)
class Judged:
    """What people said of cells.

    Args:
        verdict: `[cell, class]` that teaches: 1 for seen, 0 for refused, NaN for no verdict.
        audited: `[cell]`, for how many cells each judged one of a random draw stands, 0 for others;
            None without the record of a draw beside the table, from these masks and cells.
        audit: `[cell, class]`, what was said of drawn cells where it does not teach; else None.
        told: Counts for the record.
    """

    verdict: Floats
    audited: Floats | None
    audit: Floats | None
    told: dict[str, Any]


def judged(
    run: RunFolder,
    path: Path,
    cells: pl.DataFrame,
    classes: ClassList,
    *,
    random_teaches: bool = True,
) -> Judged:
    """What people said of the cells that get labels.

    Verdicts of a table of the user's are kept in the run. People who contradict each other, and
    who are unsure, leave the label as it is.

    Args:
        run: The run folder.
        path: The table.
        cells: `site_id` and `cell_id` of the cells that get labels.
        classes: All classes of the run.
        random_teaches: Whether verdicts on cells that chance drew teach as others do; else a cell
            with such a verdict teaches by nobody's word.

    Raises:
        PreflightError: The table cannot be understood, names no cell of the run, or names numbers
            of cells of masks that are gone.
        FormatError: A file of another kind.
    """
    brought = read_verdicts(path, classes.positive, classes.negative)
    today = followed(brought.rows, run.masks) if brought.ours else imported(run, path, brought)
    lost = today.lost
    if len(brought.rows) and not len(today.found):
        raise PreflightError(
            f"{path}: none of its cells is one of this run's ({_words(lost[:3])}, ...). Give "
            "verdicts on these images, with site_id as in cells.parquet."
        )
    rows = last_words(today.found)
    verdict, contradicted = _matrix(rows, cells, classes.positive)
    at_random = rows.filter(pl.col("drawn") == RANDOM)
    audit = None
    if not random_teaches:
        audit, _ = _matrix(at_random, cells, classes.positive)
        others = rows.join(at_random.select(_KEY), on=_KEY, how="anti")
        verdict, _ = _matrix(others, cells, classes.positive)
    seen = verdict if audit is None else audit
    audited, why = _audited(run, path, rows, cells, seen)
    of_labelled = rows.join(cells.select(_KEY), on=_KEY, how="semi")
    told = {
        "verdicts": len(rows),
        "verdicts_repeated": brought.repeated,
        "verdicts_by_outline": today.moved,
        "verdicts_drawn_at_random": len(at_random),
        **({} if random_teaches else {"verdicts_kept_for_the_audit": len(at_random)}),
        "cells_of_the_random_draw": 0 if audited is None else int((audited > 0).sum()),
        **({"random_draw_tells_nothing_because": why} if why and len(at_random) else {}),
        "verdicts_of_cells_without_field_label": len(rows) - len(of_labelled),
        "unsure": len(rows.filter(~pl.col("verdict").is_in([YES, NO]))),
        "contradicted": len(contradicted),
        "contradicted_cells": contradicted[:_NAMED],
        "cells_not_found": len(lost),
        "cells_not_found_named": [f"{site}/{cell}" for site, cell in lost[:_NAMED]],
        BY_HAND: int(np.isfinite(verdict).any(axis=1).sum()),
    }
    return Judged(verdict, audited, audit, told)


def with_people(
    bags: Bags, run: RunFolder, options: Options, cells: pl.DataFrame, classes: ClassList
) -> tuple[Bags, dict[str, Any]]:
    """The bags with what people said of their cells, and counts; see `judged`."""
    path, teaches = Path(options.annotations), not options.hold_out_random
    said = judged(run, path, cells, classes, random_teaches=teaches)
    found = replace(bags, verdict=said.verdict, audited=said.audited, audit=said.audit)
    return found, said.told


def _audited(
    run: RunFolder, path: Path, rows: pl.DataFrame, cells: pl.DataFrame, verdict: Floats
) -> tuple[Floats | None, str]:
    """For how many cells each judged one of the draw beside the table stands; or why for none."""
    draw = draw_beside(path)
    if draw is None:
        return None, "no draw.json stands beside the table"
    if not drawn_from_these_masks(run, draw):
        return None, "it was drawn from other masks"
    # Cells of which nothing was measured are not drawn from; more are fields that got labels since.
    if not _LEAST_DRAWN_FROM * len(cells) <= draw.there.sum() <= len(cells):
        return (
            None,
            f"it was drawn from {draw.there.sum():,} cells, not from today's {len(cells):,}",
        )
    said = rows.filter(pl.col("drawn") == RANDOM).select(_KEY).unique()
    drawn = draw.drawn.select(*_KEY, "stratum").join(said, on=_KEY, how="semi")
    place = cells.select(_KEY).join(drawn, on=_KEY, how="left", maintain_order="left")
    stratum = place["stratum"].fill_null(-1).to_numpy().astype(np.int64)
    done = np.isfinite(verdict).any(axis=1) & (stratum >= 0)
    seen = np.bincount(stratum[done], minlength=len(draw.there))
    if (seen[draw.there > 0] == 0).any():
        return None, "of one of its strata no cell was judged yet"
    return weights(draw.there, stratum, done).astype(np.float32), ""


def with_verdicts(
    found: CellLabels, apart: Mapping[int, Floats], verdict: Floats, weight: float
) -> tuple[CellLabels, dict[int, Floats]]:
    """Labels with verdicts in place of what a labeller says, for all folds and without each.

    Args:
        found: What the labeller says.
        apart: By fold what it says without that fold, NaN in rows of cells that are not to have
            any: there verdicts count for nothing either.
        verdict: `[cell, class]`, NaN for none.
        weight: Of judged cells; 0 for 1 or more, as the labeller says.
    """
    seen = np.isfinite(verdict)
    hand = seen.any(axis=1)

    def put(label: Floats) -> Floats:
        there = ~np.isnan(label).all(axis=1, keepdims=True)
        return np.where(seen & there, verdict, label).astype(np.float32)

    counts = np.full_like(found.weight, weight) if weight else np.maximum(found.weight, 1)
    reason = np.where(hand, BY_HAND, np.array(found.reason, object))
    labels = replace(
        found,
        label=put(found.label),
        weight=np.where(hand, counts, found.weight).astype(np.float32),
        reason=tuple(reason.tolist()),
    )
    return labels, {fold: put(label) for fold, label in apart.items()}


def _matrix(
    rows: pl.DataFrame, cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[Floats, list[str]]:
    """What all people together say, and `site/cell: class` of what they contradict each other in.

    Who is unsure says nothing.
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


def _words(cells: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"cell {cell} of {site}" for site, cell in cells)
