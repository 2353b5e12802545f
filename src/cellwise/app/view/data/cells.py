"""The cells of a run as arrays: what filters and orders need, read once; other columns later."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.chances import PREFIX, TOP_CLASSES, TOP_PROBS, Chances, chances
from cellwise.app.view.data.fields import Fields
from cellwise.app.view.data.lists import CodeLists, code_lists
from cellwise.domain.tables import CELLS, PREDICTIONS
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import column_names, read_table

BOX = ("y0", "x0", "y1", "x1")
_KEY = ("site_id", "cell_id")
_PLAIN = ("x", "y", "area", "border", "flags")
_CROP = ("shard", "row")
# Columns that filters have under words of their own, or that say where something lies on disk.
_INTERNAL = {*_KEY, *BOX, *_CROP, "border", "fold"}
_NUMBERS = (pl.Float32, pl.Float64, pl.Int32, pl.Int64, pl.Int16, pl.UInt32, pl.Boolean)
# Numbers of this many columns are kept: each is read from disk the first time it is asked for.
_COLUMNS_KEPT = 12


@dataclass(frozen=True, slots=True)
class Cells:
    """One row per cell, sorted by field and number.

    Args:
        run: Where further columns are read from.
        fields: The fields; `site` counts in them.
        site: int32, the field of each cell.
        cell: int32, its number in the mask.
        boxes: int32 `[cell, (y0, x0, y1, x1)]`, half-open.
        x, y: Centre in pixels of the field.
        area: Pixels.
        border: Whether it touches the edge of its field.
        flag_names, flags: What was odd about cells; one bit for each name.
        chances: Probabilities; without classes where nothing was predicted.
        given: The classes that each cell was given.
        field_labels: The labels of each field.
        uncertainty: In bits, NaN where unknown.
        crops: Rows of the cells table with `shard` and `row`; None where no crops were cut.
        places: The row of the predictions of each cell, -1 for none.
    """

    run: RunFolder
    fields: Fields
    site: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.int32]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    area: npt.NDArray[np.int32]
    border: npt.NDArray[np.bool_]
    flag_names: tuple[str, ...]
    flags: npt.NDArray[np.uint32]
    chances: Chances
    given: CodeLists
    field_labels: CodeLists
    uncertainty: npt.NDArray[np.float32]
    crops: pl.DataFrame | None
    places: npt.NDArray[np.int64]
    _columns: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    _found: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes with probabilities."""
        return self.chances.classes

    @property
    def disagrees(self) -> npt.NDArray[np.bool_]:
        """Cells whose likeliest class is none of the labels of their field."""
        known = self.field_labels.filled[self.site] & (self.chances.best >= 0)
        inside = self.field_labels.taken(self.site).holds(self.chances.best)
        return known & ~inside

    def of_site(self, site: int) -> slice:
        """The rows of one field."""
        first, last = np.searchsorted(self.site, (site, site + 1))
        return slice(int(first), int(last))

    def row_of(self, site_id: str, cell_id: int) -> int | None:
        """The row of a cell, None where there is no such cell."""
        site = self.fields.place(site_id)
        if site is None:
            return None
        rows = self.of_site(site)
        place = rows.start + int(np.searchsorted(self.cell[rows], cell_id))
        return place if place < rows.stop and self.cell[place] == cell_id else None

    def columns(self) -> list[str]:
        """The columns of numbers that cells can be ordered by."""
        return list(self._where())

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """A column of numbers `[cell]`, NaN where it says nothing.

        Raises:
            KeyError: There is no such column.
        """
        if name not in self._columns:
            path, kind = self._where()[name]
            values = read_table(path, kind, columns=[name])[name].cast(pl.Float32)
            found = values.fill_null(np.nan).to_numpy()
            if kind is PREDICTIONS:
                found = np.where(self.places >= 0, np.append(found, np.nan)[self.places], np.nan)
            if len(self._columns) >= _COLUMNS_KEPT:
                self._columns.pop(next(iter(self._columns)))
            self._columns[name] = found.astype(np.float32)
        return self._columns[name]

    def _where(self) -> dict[str, tuple[Any, Any]]:
        if self._found:
            return self._found
        tables = [(self.run.cells, CELLS)]
        if (self.places >= 0).any():
            tables.append((self.run.predictions, PREDICTIONS))
        for path, kind in tables:
            # Without rows: only the types are wanted.
            schema = pl.scan_parquet(path).collect_schema()
            for name, dtype in schema.items():
                if dtype in _NUMBERS and name not in _INTERNAL and not name.startswith(PREFIX):
                    self._found.setdefault(name, (path, kind))
        return self._found


def read_cells(run: RunFolder, fields: Fields, declared: tuple[str, ...]) -> Cells:
    """The cells of a run; `declared` is its class list where the tables do not hold all of it.

    Raises:
        FormatError: A table is torn, or of a newer cellwise.
    """
    there = column_names(run.cells, CELLS)
    crops = [name for name in _CROP if name in there]
    wanted = [*_KEY, *BOX, *_PLAIN, *crops]
    table = read_table(run.cells, CELLS, columns=wanted)
    # Fields that the table of sites does not name are not there: their images are unknown too.
    table = table.filter(pl.col("site_id").is_in(list(fields.ids)))
    predicted = _predicted(run)
    places = _places(table, predicted)
    rows = _aligned(predicted, places)
    said_chances = chances(rows, declared)
    names, bits = _flags(table["flags"])
    arrays: dict[str, Any] = {name: table[name].to_numpy() for name in ("x", "y", "area", "border")}
    labels = fields.labels(said_chances.classes)
    cells = Cells(
        run=run,
        fields=fields,
        site=fields.codes(table["site_id"]),
        cell=table["cell_id"].to_numpy(),
        boxes=np.stack([table[name].to_numpy() for name in BOX], 1).reshape(-1, 4),
        flag_names=names,
        flags=bits,
        chances=said_chances,
        given=code_lists(rows["Labels"], said_chances.classes),
        field_labels=labels,
        uncertainty=rows["Uncertainty"].cast(pl.Float32).fill_null(np.nan).to_numpy(),
        crops=table.select(crops) if len(crops) == len(_CROP) else None,
        places=places,
        **arrays,
    )
    # Known from now on: the folder may be moved away while the run is shown.
    cells.columns()
    return cells


def _predicted(run: RunFolder) -> pl.DataFrame:
    """What is predicted of cells; no rows where nothing is, or where wells or fields are judged."""
    empty = pl.DataFrame(
        schema={
            "site_id": pl.String,
            "cell_id": pl.Int32,
            "Labels": pl.List(pl.String),
            "Uncertainty": pl.Float32,
        }
    )
    if not run.predictions.is_file():
        return empty
    names = column_names(run.predictions, PREDICTIONS)
    values = [n for n in names if n.startswith(PREFIX) or n in (TOP_CLASSES, TOP_PROBS)]
    wanted = ["unit", *empty.columns, *values]
    table = read_table(run.predictions, PREDICTIONS, columns=wanted)
    return table.filter(pl.col("unit") == "cell").drop("unit")


def _places(table: pl.DataFrame, predicted: pl.DataFrame) -> npt.NDArray[np.int64]:
    """The row of `predicted` of each cell, -1 for none."""
    keys = predicted.select(*_KEY).with_row_index("place")
    found = table.select(*_KEY).join(keys, on=_KEY, how="left", maintain_order="left")
    return found["place"].cast(pl.Int64).fill_null(-1).to_numpy()


def _aligned(predicted: pl.DataFrame, places: npt.NDArray[np.int64]) -> pl.DataFrame:
    """The predictions in the order of the cells; nulls where nothing was said of a cell."""
    if np.array_equal(places, np.arange(predicted.height)):
        return predicted
    return predicted.select(pl.all().gather(pl.Series(places).replace(-1, None).cast(pl.UInt32)))


def _flags(column: pl.Series) -> tuple[tuple[str, ...], npt.NDArray[np.uint32]]:
    names = sorted(str(name) for name in column.explode().drop_nulls().unique())[:32]
    lists = code_lists(column, names)
    bits = np.zeros(len(column), np.uint32)
    for code in range(len(names)):
        bits |= lists.holds(code).astype(np.uint32) << np.uint32(code)
    return tuple(names), bits
