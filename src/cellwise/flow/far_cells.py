"""Whether cells of new images are of the kind that a finished run learned from, by their vectors.

Channels exchanged under right names, or another dye, may leave brightness and size of cells as they
were, and every cell is given an answer all the same. Vectors of such cells are others. Compared are
embed steps whose numbers mean the same in both runs; networks that differ between folds are none.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.kernels.far.cells import Likeness, likeness_of_cells
from cellwise.store.run.embeddings import Embeddings, embedding_names
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader


@dataclass(frozen=True, slots=True)
class FarCells:
    """What was found, for `run.json`; and what is said of it, empty where cells are alike."""

    facts: dict[str, Any]
    words: str


def far_cells(fitted: RunFolder, run: RunFolder, name: str) -> FarCells | None:
    """Compare the cells of `run` with the labelled ones of `fitted`.

    Args:
        fitted: The run whose models are applied.
        run: That of the new images.
        name: An embed step that was done in both.

    Returns:
        None where the vectors are not of cells or do not mean the same in both runs, and where too
        few cells are there to say anything.

    Raises:
        FormatError: Embeddings of a run are torn.
    """
    if not all(name in embedding_names(home) for home in (fitted, run)):
        return None
    old, new = (Embeddings(home.embeddings(name)) for home in (fitted, run))
    if old.makers != new.makers or (old.length, old.columns) != (new.length, new.columns):
        return None
    rows = _learned(fitted, old)
    field = new.index["site_id"].rank("dense").to_numpy().astype(np.int64)
    found = likeness_of_cells(
        old.read(_numbers(rows, "row")), _numbers(rows, "group"), _numbers(rows, "field"),
        new.read(np.arange(len(new))), field,
    )  # fmt: skip
    if found is None:
        return None
    facts = {key: round(value, 4) for key, value in asdict(found).items()}
    return FarCells({**facts, "unlike": found.unlike}, _words(found) if found.unlike else "")


def _words(found: Likeness) -> str:
    return (
        f"{found.far:.0%} of the cells lie far from all that were learned from, where "
        f"{found.far_by_chance:.0%} is usual at most, and {found.shifted:.0%} of what was measured "
        "is shifted. Answers for these images were never tested and must not be used before it is "
        "known why: are channels exchanged, is it another dye, magnification or kind of cell?"
    )


def _learned(fitted: RunFolder, vectors: Embeddings) -> pl.DataFrame:
    """`row`, `group` and `field` of the cells of labelled fields."""
    reader = RunReader(fitted)
    sites = reader.labelled_sites().select("site_id")
    groups = sites.join(reader.folds().select("site_id", "group"), on="site_id", how="left")
    known = groups.select(
        "site_id",
        pl.coalesce("group", "site_id").rank("dense").alias("group"),
        pl.col("site_id").rank("dense").alias("field"),
    )
    rows = vectors.index.select("site_id").with_row_index("row")
    return rows.join(known, on="site_id", how="inner").sort("row")


def _numbers(rows: pl.DataFrame, name: str) -> npt.NDArray[np.int64]:
    return rows[name].to_numpy().astype(np.int64)
