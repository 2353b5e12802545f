"""Named numbers of two cells of the small run: cell 4 of field s1 and cell 2 of s3."""

import numpy as np
import polars as pl

from cellwise.domain.tables import EMBEDDINGS
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.tables import write_table


def write_features(run, columns, numbers):
    folder = run.embeddings("features")
    numbers = np.array(numbers, np.float32)
    shard = write_vectors(folder, "all", numbers, dtype="float32", missing=True)
    frame = pl.DataFrame(
        {
            "unit": ["cell"] * 2,
            "site_id": ["s1", "s3"],
            "cell_id": pl.Series([4, 2], dtype=pl.Int32),
            "shard": [shard] * 2,
            "row": [0, 1],
            "length": [len(columns)] * 2,
            "fold": pl.Series([None, None], dtype=pl.Int32),
            "model": ["", ""],
        }
    )
    write_table(index_path(folder), EMBEDDINGS, frame)
    seal(folder, frame, "float32", {"columns": list(columns), "missing": True})
