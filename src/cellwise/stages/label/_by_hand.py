"""What people said of cells: read, kept in the run, given to today's cells, put in labels.

A verdict counts only for the cell it was given to. Where masks were made anew it goes to the cell
that has its outline; where no cell has, it is counted and named, and no other cell gets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.contracts.labeller import BY_HAND, Bags, CellLabels, Floats
from cellwise.domain.classes import ClassList
from cellwise.measures.audit import stands_for
from cellwise.stages.label.spec import Options
from cellwise.store.annotations.at_random import strata_of_draw, verdicts_of, what_all_say
from cellwise.store.annotations.saves import last_words
from cellwise.store.annotations.words import NO, RANDOM, YES
from cellwise.store.run.folder import RunFolder

_KEY = ["site_id", "cell_id"]
_NAMED = 20


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
        random_teaches: Whether verdicts on cells drawn at random teach as others do; else a cell
            with such a verdict teaches by nobody's word.

    Raises:
        PreflightError: The table cannot be understood, names no cell of the run, or names numbers
            of cells of masks that are gone.
        FormatError: A file of another kind.
    """
    brought, today = verdicts_of(run, path, classes)
    lost = today.lost
    rows = last_words(today.found)
    verdict, contradicted = what_all_say(rows, cells, classes.positive)
    at_random = rows.filter(pl.col("drawn") == RANDOM)
    audit = None
    if not random_teaches:
        audit, _ = what_all_say(at_random, cells, classes.positive)
        others = rows.join(at_random.select(_KEY), on=_KEY, how="anti")
        verdict, _ = what_all_say(others, cells, classes.positive)
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
    strata, why = strata_of_draw(run, path, rows, cells, len(cells))
    if strata is None:
        return None, why
    known = np.asarray(np.isfinite(verdict).any(axis=1))
    found = stands_for(strata.there, strata.stratum, known)
    if found is None:
        return None, "of one of its strata no cell was judged yet"
    return found.astype(np.float32), ""


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
