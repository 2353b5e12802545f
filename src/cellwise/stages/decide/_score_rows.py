"""What a decision reads: rows of score sets, how many views each step takes, and the sites."""

import numpy as np
import polars as pl

from cellwise.errors import FormatError
from cellwise.registry import split_spec
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader
from cellwise.store.run.scores import read_scores


def scores_of(run: RunFolder, name: str, classes: tuple[str, ...]) -> pl.DataFrame:
    """The rows of a score set, as `RunReader.scores` gives them.

    Args:
        run: The run folder.
        name: The score step.
        classes: The classes that the scores must be over.

    Raises:
        FormatError: A score is no number; with the cell, the class and the model.
    """
    rows = RunReader(run).scores(name, classes)
    values = rows["score"].to_numpy().reshape(len(rows), len(classes))
    if np.isfinite(values).all():
        return rows
    at, column = (int(found[0]) for found in np.nonzero(~np.isfinite(values)))
    model = read_scores(run.scores(name))["model"][at]
    row, broken = rows.row(at, named=True), int((~np.isfinite(values).all(axis=1)).sum())
    place = row["site_id"] if row["cell_id"] is None else f"{row['site_id']}/{row['cell_id']}"
    raise FormatError(
        f"{run.scores(name)}: {broken:,} of {len(rows):,} scores are no numbers, the first of "
        f"class {classes[column]!r} of {place}, from the model {model!r}. Train that model again, "
        f"or leave the score step {name!r} out of 'from'."
    )


def views_of_steps(run: RunFolder) -> dict[str, int]:
    """How many views each score step of the run takes, by its name.

    What a score step takes is in the key of its scores, which this step reads.
    """
    from cellwise.parts.predictor import views_of

    found = {}
    for step in read_json(run.record)["recipe"]["steps"]:
        if step["kind"] == "score":
            _, own = split_spec(step["options"]["by"])
            scales = len(own.get("scales") or [1])
            found[step["name"]] = scales * len(views_of(own.get("views", "none"), 1))
    return found


def sites_of(run: RunFolder) -> pl.DataFrame:
    """One row per site: `site_id`, `part`, `labels`, `fold`, `group`, `Metadata_*`."""
    tables = RunReader(run)
    frame = tables.sites()
    metadata = [name for name in frame.columns if name.startswith("Metadata_")]
    frame = frame.select("site_id", "part", "labels", *metadata)
    folds = tables.folds().select("site_id", "fold", "group")
    return frame.join(folds, on="site_id", how="left", maintain_order="left")
