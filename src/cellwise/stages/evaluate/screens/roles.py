"""What a well may be used for: figures come from wells that nothing was learned or chosen by."""

from collections.abc import Collection

import polars as pl

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE
from cellwise.domain.units import EXPERIMENT

OUT_OF_BATCH, IN_BATCH, CHOSE, LEARNED = "out_of_batch", "in_batch", "chose_epochs", "learned"


def roles(wells: pl.DataFrame, *, judged: Collection[str]) -> pl.Series:
    """The role of each well; null where its treatment is unknown or it is a control.

    `out_of_batch`: no well of its experiment was learned from by who answers. `in_batch`: others
    of its experiment were. `chose_epochs`: its experiment judged the epochs of a training, so it
    proves nothing. `learned`: it was learned from.

    Args:
        wells: `experiment`, `class`, `well_type`, `part` and `fold` (null for none).
        judged: Names of experiments that judged epochs.
    """
    control = pl.col("well_type").is_in([POSITIVE, NEGATIVE]).fill_null(value=False)
    tested = (pl.col("part") == "test").fill_null(value=False)
    left_out = pl.col("fold").is_not_null()
    learned = pl.col("class").is_not_null() & ~tested & ~control
    # The folds that an experiment's learned wells lie in; -1 stands for none.
    folds = pl.when(learned).then(pl.col("fold").fill_null(-1))
    here = folds.drop_nulls().unique().over(EXPERIMENT, mapping_strategy="join")
    others = here.list.set_difference(pl.concat_list(pl.col("fold").fill_null(-2))).list.len() > 0
    return wells.select(
        pl.when(pl.col("class").is_null() | control)
        .then(None)
        .when(pl.col(EXPERIMENT).is_in(list(judged)).fill_null(value=False))
        .then(pl.lit(CHOSE))
        .when(~tested & ~left_out)
        .then(pl.lit(LEARNED))
        .when(others.fill_null(value=False))
        .then(pl.lit(IN_BATCH))
        .otherwise(pl.lit(OUT_OF_BATCH))
        .alias("role")
    ).to_series()
