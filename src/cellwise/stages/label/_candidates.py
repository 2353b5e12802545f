"""The table of cells whose labels a person should look at."""

import polars as pl

from cellwise.contracts.labeller import Candidates
from cellwise.domain.tables import CANDIDATES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table


def write_candidates(
    run: RunFolder,
    name: str,
    cells: pl.DataFrame,
    classes: tuple[str, ...],
    found: Candidates | None,
) -> None:
    """Write the candidates of one label step, or remove those of an earlier labeller.

    Args:
        run: The run folder.
        name: The step.
        cells: `site_id` and `cell_id` of the cells that were labelled, in their order.
        classes: The positive classes.
        found: Candidates, those of one class and kind together and in order; None for none.
    """
    if found is None:
        run.candidates(name).unlink(missing_ok=True)
        return
    chosen = cells.select("site_id", "cell_id")[found.cell]
    frame = chosen.with_columns(
        pl.Series("class", [classes[column] for column in found.column], dtype=pl.String),
        pl.Series("kind", found.kind.tolist(), dtype=pl.String),
        pl.Series("before", found.before, dtype=pl.Float32),
        pl.Series("after", found.after, dtype=pl.Float32),
        pl.Series("known_near", found.known_near, dtype=pl.Int32),
    )
    frame = frame.with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("class", "kind").alias("rank")
    )
    write_table(run.candidates(name), CANDIDATES, frame.sort("class", "kind", "rank"))
