"""A table of verdicts becomes a save of the run: each verdict gets the outline of its cell."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import PreflightError
from cellwise.store.annotations.outlines import Followed, followed, outline_of
from cellwise.store.annotations.saves import annotations, save, save_path
from cellwise.store.annotations.tables import Brought
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import key_of, mask_path, read_labels, sites_with_masks
from cellwise.store.run.tables import empty_frame, read_table

# Fewer points than this may all lie in cells by chance.
_FEW = 3


def imported(run: RunFolder, path: Path, brought: Brought) -> Followed:
    """The rows of a user's table with the outlines of their cells, kept in the run as one save.

    A file that was read before, with other masks, is not read again: its verdicts follow their
    outlines.

    Args:
        run: The run folder.
        path: The file.
        brought: What it holds.

    Raises:
        PreflightError: It names numbers of cells of masks that are gone, a cell and a point that is
            not in it, points with x and y exchanged, or no cell of the run.
        FormatError: A save or a label image is torn.
    """
    name = f"import-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    kept = save_path(run, name)
    if kept.is_file():
        before = read_table(kept, ANNOTATIONS)
        today = followed(before, run.masks)
        if today.moved or today.lost:
            # Its numbers of cells are those of the masks it was first read with.
            return today
    known, fields = annotations(run), sites_with_masks(run.masks)
    parts: list[pl.DataFrame] = []
    unknown: list[tuple[str, int]] = []
    missed, exchanged = 0, list[bool]()
    for (site,), rows in brought.rows.group_by(["site_id"], maintain_order=True):
        labels = np.zeros((0, 0), np.uint16)
        # A text of a table is no part of a path before it is known to be a field.
        if site in fields:
            labels = read_labels(mask_path(run.masks, str(site), "cells"))
        key = key_of(labels)
        _check_masks(path, str(site), rows, known, key)
        places = list(rows.select("cell_id", "x", "y").iter_rows())
        cells = [_cell_at(labels, *place) for place in places]
        outlines = {cell: outline_of(labels, cell) for cell in set(cells) if cell}
        _check_points(path, str(site), places, outlines)
        points = [(x, y) for cell, x, y in places if cell is None and x is not None]
        missed += sum(not _cell_at(labels, None, x, y) for x, y in points)
        exchanged += [_cell_at(labels, None, y, x) > 0 for x, y in points]
        there = np.array([bool(outlines.get(cell)) for cell in cells], bool)
        unknown += [(str(site), cell) for cell in np.array(cells)[~there].tolist()]
        parts.append(_outlined(rows, cells, outlines, key).filter(pl.Series(there)))
    if missed and len(exchanged) >= _FEW and all(exchanged):
        raise PreflightError(
            f"{path}: {missed} of {counted(len(exchanged), 'points')} lie in no cell, and with x "
            "and y exchanged all of them do. x counts to the right, y down: exchange their names."
        )
    found = pl.concat([empty_frame(ANNOTATIONS), *parts])
    if len(brought.rows) and not len(found):
        lost = ", ".join(f"{site}/{cell}" for site, cell in sorted(set(unknown))[:3])
        raise PreflightError(
            f"{path}: none of its cells is one of this run's ({lost}, ...). Give verdicts on these "
            "images, with site_id as in cells.parquet."
        )
    if len(found):
        save(run, found, name=name)
    return Followed(found, 0, tuple(sorted(set(unknown))))


def _check_masks(path: Path, site: str, rows: pl.DataFrame, known: pl.DataFrame, key: str) -> None:
    """Refuse numbers of cells that may be those of masks that are gone.

    Raises:
        PreflightError: The table says they are, or says nothing and the field was segmented again
            since a person first judged it.
    """
    numbers = rows.filter(pl.col("cell_id").is_not_null())
    other = numbers.filter(pl.col("mask_key").is_not_null() & (pl.col("mask_key") != key))
    silent = numbers.filter(pl.col("mask_key").is_null())
    former = known.filter((pl.col("site_id") == site) & (pl.col("mask_key") != key))
    if len(other) or (len(silent) and len(former)):
        raise PreflightError(
            f"{path}: field {site!r} was segmented again, so that numbers of cells may mean other "
            "cells. Give a point in each cell (columns x and y, no cell_id), the column mask_key "
            f"of today's masks ({key}), or the run's own annotations/annotations.parquet."
        )


def _check_points(
    path: Path,
    site: str,
    places: Sequence[tuple[int | None, float | None, float | None]],
    outlines: Mapping[int, list[int]],
) -> None:
    """Refuse a number of a cell beside a point elsewhere: one of both is of another cell.

    The centre of a bent cell may lie outside it, so the box around the cell counts.
    """
    for cell, x, y in places:
        runs = np.array(outlines.get(cell or 0, []), np.int64).reshape(-1, 3)
        if x is None or y is None or not len(runs):
            continue
        low, high = runs[:, :2].min(0), np.max([runs[:, 0], runs[:, 1] + runs[:, 2] - 1], axis=1)
        if not (low[0] - 1 <= y <= high[0] + 1 and low[1] - 1 <= x <= high[1] + 1):
            raise PreflightError(
                f"{path}: the point x {x:g}, y {y:g} is not in cell {cell} of field {site!r}. "
                "Numbers change where a field is segmented again. Keep x and y, or cell_id, "
                "whichever is right, and take the other away."
            )


def _cell_at(labels: npt.NDArray[Any], cell: int | None, x: float | None, y: float | None) -> int:
    """The number of a cell, or of the cell that a point lies in; 0 for none."""
    if cell is not None:
        return cell
    assert x is not None
    assert y is not None
    row, column = int(y + 0.5), int(x + 0.5)
    inside = row < labels.shape[0] and column < labels.shape[1]
    return int(labels[row, column]) if inside else 0


def _outlined(
    rows: pl.DataFrame, cells: Sequence[int], outlines: Mapping[int, list[int]], key: str
) -> pl.DataFrame:
    runs = {cell: np.array(outline).reshape(-1, 3) for cell, outline in outlines.items() if outline}
    centre = {
        cell: (
            float(((run[:, 1] + (run[:, 2] - 1) / 2) * run[:, 2]).sum() / run[:, 2].sum()),
            float((run[:, 0] * run[:, 2]).sum() / run[:, 2].sum()),
        )
        for cell, run in runs.items()
    }
    return rows.with_columns(
        pl.Series("cell_id", cells, dtype=pl.Int32),
        pl.Series("mask_key", [key] * len(rows), dtype=pl.String),
        pl.Series("outline", [outlines.get(c, []) for c in cells], dtype=pl.List(pl.Int32)),
        pl.Series("x", [centre.get(c, (None, None))[0] for c in cells], dtype=pl.Float32),
        pl.Series("y", [centre.get(c, (None, None))[1] for c in cells], dtype=pl.Float32),
    ).select(list(ANNOTATIONS.columns))
