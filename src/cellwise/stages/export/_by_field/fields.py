"""The fields of a run with their cells, one after the other, so that any run fits any memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from cellwise.contracts.exporter import RunTables
from cellwise.domain.records import Masks, Site
from cellwise.domain.tables import CELLS, PREDICTIONS, SITES
from cellwise.errors import FormatError, PreflightError
from cellwise.parts.drawing.class_colours import class_colours
from cellwise.stages.export._predictions import PREFIX, by_site, class_names
from cellwise.stages.export._verdicts import verdict_columns
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import read_masks, sites_with_masks
from cellwise.store.run.sites import sites_of
from cellwise.store.run.tables import read_classes, read_table

MEASURED = ("Cells_", "Nuclei_", "Cytoplasm_", "Ring_")
# What only says where a cell lies in files of the run.
_INNER = ("shard", "row", "y0", "x0", "y1", "x1")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FieldCells:
    """One field: where its images lie, its masks, and what is known of its cells.

    Args:
        site: The field.
        masks: Label images of its cells and nuclei.
        cells: Columns of the run's table by the number of a cell; every number of the label image
            of cells is there, with no columns where the table does not know it.
    """

    site: Site
    masks: Masks
    cells: dict[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CellTable:
    """The table that describes the cells of a run, and the names in it.

    Args:
        path: `predictions.parquet` where it is about cells, else `cells.parquet`.
        columns: Its columns that say something of a cell.
        classes: The class list in its order; empty for a run that learns nothing.
        negative: The class of cells that show none of the others.
        metadata: Columns `Metadata_*` of this table or of that of fields.
    """

    path: Path
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    negative: str | None
    metadata: tuple[str, ...]

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns of plain measurements."""
        return tuple(name for name in self.columns if name.startswith(MEASURED))

    @property
    def colours(self) -> dict[str, tuple[int, int, int]]:
        """The colour of each class."""
        return class_colours(self.classes, self.negative)


def cell_table(run: RunTables) -> CellTable:
    """What describes the cells of a run.

    Raises:
        PreflightError: The run has no cells, or is no finished run.
        FormatError: A table is torn or written by a newer cellwise.
    """
    path, kind = run.predictions, PREDICTIONS
    if not _tells_of_cells(path):
        path, kind = run.cells, CELLS
    if not path.is_file() or not run.sites.is_file():
        raise PreflightError(
            f"{run.path} holds no cells: it is unfinished, or its recipe judges whole fields. "
            "Let `cellwise run` end first, or choose a recipe with a step 'cells'."
        )
    kept = read_classes(path, kind)
    columns = [name for name in pq.read_schema(path).names if name not in _INNER]
    classes = tuple(kept or class_names(columns)) if kind is PREDICTIONS else ()
    decided = RunFolder(run.path).decision("decide")
    negative = read_json(decided).get("negative") if decided.is_file() else None
    named = [*pq.read_schema(run.sites).names, *columns]
    return CellTable(
        path,
        tuple(columns),
        classes,
        negative if negative in classes else None,
        tuple(dict.fromkeys(name for name in named if name.startswith("Metadata_"))),
    )


def _tells_of_cells(predictions: Path) -> bool:
    if not predictions.is_file():
        return False
    read_classes(predictions, PREDICTIONS)
    with pq.ParquetFile(predictions) as file:
        first = next(file.iter_batches(1, columns=["unit"]), None)
        return first is None or not len(first) or first.column(0)[0].as_py() == "cell"


def count_fields(run: RunTables) -> int:
    """How many fields `fields` gives."""
    return len(sites_with_masks(run.masks) & set(_site_rows(run)["site_id"].unique()))


def fields_without(run: RunTables) -> list[str]:
    """The ids of the run's fields that have no masks, sorted: they were set aside."""
    return sorted(set(_site_rows(run)["site_id"].unique()) - sites_with_masks(run.masks))


def fields(run: RunTables, table: CellTable) -> Iterator[FieldCells]:
    """The fields that have masks, sorted by id; their cells with what people said of them.

    Raises:
        FormatError: The table names a cell that the masks do not hold.
    """
    there = sites_with_masks(run.masks)
    described, judged = by_site(table.path, list(table.columns)), verdict_columns(run)
    waiting = next(described, None)
    for site in _sites(run):
        # Both tables are sorted by site, so they are walked side by side.
        while waiting is not None and waiting[0] < site.id:
            waiting = next(described, None)
        if site.id not in there:
            continue
        masks = read_masks(run.masks, site.id)
        rows = waiting[1] if waiting is not None and waiting[0] == site.id else None
        rows = rows if rows is None else rows.hstack(judged(rows))
        yield FieldCells(site, masks, _cells(site.id, masks, rows))


def _cells(site_id: str, masks: Masks, rows: pl.DataFrame | None) -> dict[int, dict[str, Any]]:
    known: dict[int, dict[str, Any]] = {}
    if rows is not None:
        own = rows.filter(pl.col("unit") == "cell") if "unit" in rows.columns else rows
        known = {int(row["cell_id"]): row for row in own.iter_rows(named=True)}
    numbers = [number for number in np.unique(masks.cells).tolist() if number]
    lost = set(known).difference(numbers)
    if lost:
        raise FormatError(
            f"{site_id}: cell {min(lost)} is not in the masks of this run. Run it again."
        )
    return {number: known.get(number, {}) for number in numbers}


def _site_rows(run: RunTables) -> pl.DataFrame:
    return read_table(run.sites, SITES, columns=["site_id"])


def _sites(run: RunTables) -> Iterator[Site]:
    """All sites, sorted, some at a time as objects."""
    frame = read_table(run.sites, SITES).sort("site_id", maintain_order=True)
    order = frame["site_id"].unique(maintain_order=True)
    for begin in range(0, len(order), _AT_ONCE):
        some = order.slice(begin, _AT_ONCE)
        yield from sites_of(frame.filter(pl.col("site_id").is_in(some.implode())))


def probabilities(row: Mapping[str, Any]) -> dict[str, float]:
    """What a row says of classes: each, or of more than 64 those that are most probable."""
    if row.get("top_classes") is not None:
        pairs = zip(row["top_classes"], row["top_probs"], strict=True)
        return {str(name): float(chance) for name, chance in pairs}
    return {
        name.removeprefix(PREFIX): float(value)
        for name, value in row.items()
        if name.startswith(PREFIX) and value is not None
    }
