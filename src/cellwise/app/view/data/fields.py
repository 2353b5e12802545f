"""The fields of a run: their labels, sizes, places on plates, and the order they stand in."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.lists import CodeLists, code_lists
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader

PLATE, WELL = "Metadata_Plate", "Metadata_Well"


@dataclass(frozen=True, slots=True)
class Fields:
    """One row per field that was read, sorted by id.

    Args:
        table: `site_id`, `labels`, `pixel_size`, `height`, `width`, `Metadata_*`, `part`.
        ids: The ids, sorted.
        plates, wells: Their values, sorted; empty where the run has none.
        plate, well: int32, the place of each field's value in them, -1 for none.
        ranks: The fields in the order they are walked through: by plate, well and id.
    """

    table: pl.DataFrame
    ids: tuple[str, ...]
    plates: tuple[str, ...]
    wells: tuple[str, ...]
    plate: npt.NDArray[np.int32]
    well: npt.NDArray[np.int32]
    ranks: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def place(self, site_id: str) -> int | None:
        """The row of a field, None where there is no such field."""
        place = bisect_left(self.ids, site_id)
        return place if place < len(self.ids) and self.ids[place] == site_id else None

    def codes(self, column: pl.Series) -> npt.NDArray[np.int32]:
        """The row of the field that each of these ids names; all are known."""
        known = pl.DataFrame(
            {"site_id": self.ids, "code": np.arange(len(self.ids), dtype="i4")},
            schema_overrides={"site_id": pl.String},
        )
        joined = column.to_frame("site_id").join(
            known, on="site_id", how="left", maintain_order="left"
        )
        return joined["code"].to_numpy().astype(np.int32)

    def labels(self, classes: tuple[str, ...]) -> CodeLists:
        """The labels of each field as codes of these classes."""
        return code_lists(self.table["labels"], classes)

    def row(self, place: int) -> dict[str, Any]:
        """All that is known of one field."""
        return self.table.row(place, named=True)

    def frame(self, place: int) -> tuple[int, int] | None:
        """Height and width in pixels, None where unknown."""
        tall, wide = self.table["height"][place], self.table["width"][place]
        return None if tall is None or wide is None else (int(tall), int(wide))

    def size(self, place: int) -> float | None:
        """Micrometres of a pixel, None where unknown."""
        size = self.table["pixel_size"][place]
        return float(size) if size is not None and size > 0 else None


def read_fields(run: RunFolder) -> Fields:
    """The fields of a run.

    Raises:
        FormatError: The table of sites is torn, or of a newer cellwise.
    """
    table = RunReader(run).sites().filter(pl.col("status") == "ok").sort("site_id")
    plates, plate = _values(table, PLATE)
    wells, well = _values(table, WELL)
    ranks = np.lexsort((np.arange(table.height), well, plate))
    return Fields(table, tuple(table["site_id"]), plates, wells, plate, well, ranks)


def _values(table: pl.DataFrame, column: str) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    if column not in table.columns:
        return (), np.full(table.height, -1, np.int32)
    texts = table[column].cast(pl.String)
    names = texts.drop_nulls().unique().sort().to_list()
    places = {name: n for n, name in enumerate(names)}
    codes = [-1 if text is None else places[text] for text in texts]
    return tuple(names), np.array(codes, np.int32)
