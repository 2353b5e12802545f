"""The predictions of wells: what the predictions say of cells, said of the wells they lie in."""

import numpy as np
import polars as pl

from cellwise.domain.units import WELL
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._predictions import (
    Probabilities,
    labels_of,
    probability_columns,
    uncertainty,
)
from cellwise.stages.decide.wells.shares import Wells

# Columns that tables of predictions have and wells have not.
_OF_CELLS = ("site_id", "cell_id", "x", "y", "area", "border")


def well_predictions(wells: Wells, decision: Decision) -> tuple[pl.DataFrame, Probabilities]:
    """One row per well with cells, sorted by `unit_id`; and the probabilities `[well, class]`.

    A probability is the mean over the well's cells (for every class, so that it equals `Mean_` of
    the wells table); labels are those at or above the threshold of cells. `part`, `fold`,
    `Weak_labels` and metadata are null where the sites of a well differ.
    """
    count = wells.table["n_cells"].to_numpy()
    total = np.zeros((len(count), wells.counts.total.shape[1]))
    np.add.at(total, wells.number, wells.counts.total)
    rows = np.flatnonzero(count > 0)
    rows = rows[np.argsort(wells.table["unit_id"].gather(rows).to_numpy(), kind="stable")]
    chance = (total[rows] / count[rows, None]).astype(np.float32)
    frame = wells.table[rows].drop("negative_control")
    metadata = [name for name in frame.columns if name.startswith("Metadata_")]
    frame = frame.select(
        pl.lit(WELL).alias("unit"),
        "unit_id",
        *(pl.col(name).cast(pl.String) for name in metadata),
        "part",
        "fold",
        *(pl.lit(None).alias(name) for name in _OF_CELLS),
        "Weak_labels",
        "n_sites",
        "n_cells",
        pl.Series("Labels", labels_of(chance, decision), dtype=pl.List(pl.String)),
        pl.Series("Uncertainty", uncertainty(chance), dtype=pl.Float32),
        *probability_columns(chance, decision.classes),
    )
    return frame, chance
