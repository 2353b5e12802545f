"""Which colour the outline of each cell has: that of its most likely class, as on the page."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.parts.drawing.class_palette import OTHER, PALETTE, coloured_classes

Codes = npt.NDArray[np.uint8]


class ClassColours:
    """Colours of the cells of a run.

    Args:
        predictions: A row for each cell with `site_id`, `cell_id` and the columns of `classes`.
        columns: Class to its column of probabilities.
    """

    def __init__(self, predictions: pl.DataFrame, columns: dict[str, str]) -> None:
        chances = predictions.select(pl.col(list(columns.values())).cast(pl.Float32)).to_numpy()
        known = np.isfinite(chances)
        best = np.where(known, chances, -1.0).argmax(axis=1) if len(chances) else np.zeros(0, int)
        best = np.where(known.any(axis=1), best, -1)
        names = coloured_classes(list(columns), best)
        # Place of a class in the palette, 1 the first; the last code is that of all others.
        codes = [names.index(n) + 1 if n in names else len(names) + 1 for n in columns]
        table = np.array([*codes, len(names) + 1], np.uint8)
        self.names = names
        self.colours = (*PALETTE[: len(names)], OTHER)
        self._cells = predictions.select("site_id", "cell_id").with_columns(
            pl.Series("code", table[best], pl.UInt8)
        )

    def codes(self, site_id: str, most: int) -> Codes:
        """Of each number in the masks of a field which of `colours` it has, 1 the first.

        Args:
            site_id: The field.
            most: The highest number in its masks.
        """
        found = np.full(most + 1, len(self.colours), np.uint8)
        found[0] = 0
        rows = self._cells.filter(
            (pl.col("site_id") == site_id) & pl.col("cell_id").is_between(1, most)
        )
        found[rows["cell_id"].to_numpy()] = rows["code"].to_numpy()
        return found

    def legend(self, seen: set[int]) -> list[dict[str, Any]]:
        """Name and colour of the classes whose codes are seen, in the order of the classes."""
        words = [*self.names, "another class, or none"]
        return [
            {"name": words[code - 1], "colour": self.colours[code - 1]} for code in sorted(seen)
        ]
