"""Embeddings of several embed steps side by side: one vector of each cell, block by block."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.specs import names_of
from cellwise.errors import PreflightError
from cellwise.store.run.embeddings import Embeddings
from cellwise.store.run.folder import RunFolder

_KEY = ["site_id", "cell_id"]


def open_embeddings(run: RunFolder, named: str | Sequence[str]) -> "Embeddings | Joined":
    """The vectors of one embed step, or of several side by side.

    Raises:
        FormatError: There are none, or the index is torn or of a newer cellwise.
        PreflightError: Vectors of cells stand beside vectors of whole fields.
    """
    names = names_of(named)
    if len(names) == 1:
        return Embeddings(run.embeddings(names[0]))
    return Joined([Embeddings(run.embeddings(name)) for name in names])


class Joined:
    """Vectors of the cells that every one of some embed steps has a vector of, laid side by side.

    Looks as `Embeddings` do. `blocks` are the lengths of the parts, in order; `columns` are the
    names of the numbers where all parts name theirs.

    Args:
        parts: At least two.

    Raises:
        PreflightError: Vectors of cells stand beside vectors of whole fields.
    """

    def __init__(self, parts: Sequence[Embeddings]) -> None:
        self.parts = tuple(parts)
        units = {str(part.facts.get("unit")) for part in parts if len(part)}
        self.name = " + ".join(part.folder.name for part in parts)
        if len(units) > 1:
            raise PreflightError(
                f"Embeddings {self.name} are of cells and of whole fields: they do not stand side "
                "by side."
            )
        self.blocks = tuple(part.length for part in parts)
        self.length = sum(self.blocks)
        named = all(part.columns for part in parts)
        self.columns = tuple(name for part in parts for name in part.columns) if named else ()
        self.missing = any(part.missing for part in parts)
        self.index = parts[0].index
        for part in parts[1:]:
            self.index = self.index.join(part.index.select(_KEY), on=_KEY, how="semi")
        self._rows = [part.places(self.index) for part in parts]

    def __len__(self) -> int:
        return self.index.height

    @property
    def makers(self) -> list[list[str]]:
        """What made the vectors, of each part."""
        return [makers for part in self.parts for makers in part.makers]

    def read(self, positions: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """The vectors at these positions of the index, float32 `[n, number]`.

        Raises:
            FormatError: A shard is missing or torn.
        """
        parts = zip(self.parts, self._rows, strict=True)
        found = [part.read(rows[positions]) for part, rows in parts]
        return np.concatenate(found, axis=1)

    def places(self, cells: pl.DataFrame) -> npt.NDArray[np.int64]:
        """Where in the index each of these cells lies, -1 for one that a part has no vector of."""
        listed = self.index.select(_KEY).with_row_index("place")
        found = cells.select(_KEY).join(listed, on=_KEY, how="left", maintain_order="left")
        return found["place"].cast(pl.Int64).fill_null(-1).to_numpy()

    def check_cells(self, cells: pl.DataFrame) -> None:
        """Refuse vectors of other cells than those of the run.

        Raises:
            FormatError: As `Embeddings` do.
        """
        for part in self.parts:
            part.check_cells(cells)
