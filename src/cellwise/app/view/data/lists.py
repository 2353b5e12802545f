"""Lists of class codes for many rows, in two flat arrays: 100,000 lists cost a megabyte."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl


@dataclass(frozen=True, slots=True)
class CodeLists:
    """A list of codes for each row.

    Args:
        ends: int64 `[row + 1]`: the codes of row r are `codes[ends[r]:ends[r + 1]]`.
        codes: int32, all lists one behind the other.
    """

    ends: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which rows have any code."""
        return np.diff(self.ends) > 0

    def of(self, row: int) -> list[int]:
        """The codes of one row."""
        return [int(code) for code in self.codes[self.ends[row] : self.ends[row + 1]]]

    def holds(self, wanted: npt.NDArray[Any] | int) -> npt.NDArray[np.bool_]:
        """Which rows hold the code that is wanted: one for all, or one `[row]` for each."""
        rows = np.repeat(np.arange(len(self.ends) - 1), np.diff(self.ends))
        hit = self.codes == (wanted[rows] if isinstance(wanted, np.ndarray) else wanted)
        found = np.zeros(len(self.ends) - 1, bool)
        found[rows[hit]] = True
        return found

    def taken(self, rows: npt.NDArray[Any]) -> "CodeLists":
        """The lists of these rows, in this order; a row of -1 has an empty list."""
        lengths = np.diff(self.ends, append=self.ends[-1])[rows]
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        starts = np.repeat(self.ends[rows] - ends[:-1], lengths)
        return CodeLists(ends, self.codes[starts + np.arange(len(starts))])


def code_lists(column: pl.Series, names: Sequence[str]) -> CodeLists:
    """The lists of a table's column as codes of `names`; other names are left out."""
    known = pl.DataFrame(
        {"name": list(names), "code": np.arange(len(names), dtype=np.int32)},
        schema_overrides={"name": pl.String},
    )
    long = (
        column.cast(pl.List(pl.String))
        .to_frame("name")
        .with_row_index("row")
        .explode("name")
        .join(known, on="name", how="inner", maintain_order="left")
    )
    counts = np.bincount(long["row"].to_numpy(), minlength=len(column))
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return CodeLists(ends, long["code"].to_numpy().astype(np.int32))
