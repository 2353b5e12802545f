"""Numbers of cells that have names: what the embed steps of a run measured, as columns."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from cellwise.store.run.embeddings import Embeddings, embedding_names
from cellwise.store.run.folder import RunFolder


def named_embeddings(run: Path) -> list[Embeddings]:
    """The embed steps of a run whose numbers have names, by the name of the step."""
    folder = RunFolder(run)
    kept = [Embeddings(folder.embeddings(name)) for name in embedding_names(folder)]
    return [one for one in kept if one.columns]


def feature_columns(
    kept: Sequence[Embeddings], rows: pl.DataFrame, taken: Collection[str]
) -> pl.DataFrame:
    """Their numbers of these rows, float32, null where there is none.

    Args:
        kept: The embed steps; of two columns of one name the first is taken.
        rows: Columns `site_id` and `cell_id`.
        taken: Names that are left out.
    """
    columns: dict[str, pl.Series] = {}
    for one in kept:
        fresh = [k for k, c in enumerate(one.columns) if c not in taken and c not in columns]
        places = one.places(rows)
        numbers = np.full((len(places), len(fresh)), np.nan, np.float32)
        numbers[places >= 0] = one.read(places[places >= 0])[:, fresh]
        for at, place in enumerate(fresh):
            name = one.columns[place]
            columns[name] = pl.Series(name, numbers[:, at]).fill_nan(None)
    return pl.DataFrame(columns)
