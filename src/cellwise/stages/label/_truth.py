"""Which true cell each cell of a run is, and what that one shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.errors import PreflightError
from cellwise.kernels.matching import find_overlaps, match
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.worlds.truth import Truth, read_truth

_LEAST_IOU = 0.5


def true_labels(
    run: RunFolder, folder: Path, cells: pl.DataFrame, classes: tuple[str, ...]
) -> npt.NDArray[np.float32]:
    """`[cell, class]`: 1 where the cell shows the class, NaN in rows of cells nobody knows.

    Cells that are not to be judged are known in a made world, and taken: who learns from inherited
    labels learns from them too, and both must learn from the same cells.

    Cells are the same where their number is, if a field's masks equal the true ones; else where the
    IoU of two masks is at least 0.5. Classes of the truth that the run does not have are left out.

    Args:
        run: Holds the masks of the cells.
        folder: The truth folder, or the folder that holds it.
        cells: `site_id` and `cell_id`; rows of a field stand together.
        classes: The positive classes of the run.

    Raises:
        PreflightError: The truth says nothing of cells, or knows none of the fields.
    """
    truth = read_truth(folder)
    if truth.cells is None:
        raise PreflightError(f"{folder} holds no cells.csv: nothing is known of single cells.")
    shown = _shown(truth.cells, classes, every=bool(truth.world))
    result = np.full((len(cells), len(classes)), np.nan, np.float32)
    met = 0
    for rows, site_id, numbers in _fields(cells):
        if (names := shown.get(site_id)) is None:
            continue
        met += 1
        same = _same(run, truth, site_id)
        for row, number in zip(rows, numbers, strict=True):
            found = names.get(same.get(number, 0) if same is not None else number)
            if found is not None:
                result[row] = found
    if len(cells) and not met:
        raise PreflightError(
            f"The truth in {folder} knows none of this run's fields ({cells['site_id'][0]}, ...). "
            "Give the truth of these images."
        )
    return result


def _shown(
    cells: pl.DataFrame, classes: tuple[str, ...], *, every: bool
) -> dict[str, dict[int, npt.NDArray[np.float32]]]:
    """What true cells show, by field and number: those to be judged, or `every` one."""
    result: dict[str, dict[int, npt.NDArray[np.float32]]] = {}
    columns = cells.select("site_id", "cell_id", "classes", "ignored")
    for site_id, number, names, ignored in columns.iter_rows():
        of_field = result.setdefault(site_id, {})
        if every or not ignored:
            of_field[number] = np.array([name in names for name in classes], np.float32)
    return result


def _fields(cells: pl.DataFrame) -> list[tuple[list[int], str, list[int]]]:
    """Rows, name and cell numbers of each field."""
    groups = (
        cells.select("site_id", "cell_id")
        .with_row_index("row")
        .group_by("site_id", maintain_order=True)
        .agg("row", "cell_id")
    )
    return [(rows, site, numbers) for site, rows, numbers in groups.iter_rows()]


def _same(run: RunFolder, truth: Truth, site_id: str) -> Mapping[int, int] | None:
    """The true number of each cell that has one; None where all numbers agree anyway."""
    theirs: npt.NDArray[Any] | None = truth.labels(site_id)
    if theirs is None:
        return None
    ours = read_masks(run.masks, site_id).cells
    if np.array_equal(ours, theirs):
        return None
    overlaps = find_overlaps(ours, theirs)
    pairs = match(overlaps, _LEAST_IOU)
    return dict(
        zip(
            overlaps.predicted_ids[pairs[:, 0]].tolist(),
            overlaps.true_ids[pairs[:, 1]].tolist(),
            strict=True,
        )
    )
