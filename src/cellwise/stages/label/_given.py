"""Labels of an earlier step, for labellers that start from them."""

import numpy as np
import polars as pl

from cellwise.contracts.labeller import Floats
from cellwise.domain.held_out import folds_left_out, label_without
from cellwise.domain.tables import LABELS
from cellwise.errors import FormatError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_classes, read_table

_KEY = ["site_id", "cell_id"]


def given_labels(
    run: RunFolder, name: str, cells: pl.DataFrame, classes: tuple[str, ...]
) -> tuple[Floats, dict[int, Floats]]:
    """Labels `[cell, class]` of an earlier step in the order of `cells`, and those without a fold.

    NaN where the step has none.

    Raises:
        FormatError: They are over other classes.
    """
    theirs = read_classes(run.labels(name), LABELS)
    if theirs != classes:
        raise FormatError(
            f"{run.labels(name).name} is over other classes than the run's. Let {name!r} run again."
        )
    place = cells.select(_KEY).with_row_index("row")
    place = place.join(read_table(run.labels(name), LABELS), on=_KEY, how="inner")
    rows = place["row"].to_numpy().astype(np.int64)

    def labels(column: str) -> Floats:
        result = np.full((len(cells), len(classes)), np.nan, np.float32)
        known = place[column].is_not_null()
        if known.any():
            some = place[column].filter(known)
            result[rows[known.to_numpy()]] = some.to_numpy().reshape(len(some), -1)
        return result

    folds = folds_left_out(place.columns)
    return labels("label"), {fold: labels(label_without(fold)) for fold in folds}
