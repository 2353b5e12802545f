"""Profiles of wells as AnnData (`.h5ad`) that pycytominer and copairs read: `Metadata_*` in `obs`.

Source: the profiles of Cell Painting as pycytominer keeps them (Serrano et al. 2025, Nature Methods
22:677): one row per well, its place and treatment in columns that begin with `Metadata_`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.domain.tables import PROFILES
from cellwise.errors import PreflightError
from cellwise.store.atomic import writing
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_classes, read_table

if TYPE_CHECKING:
    import anndata

_NAMES = {
    "well": "Id", "experiment": "Experiment", "plate": "Plate", "position": "Well",
    "cell_type": "CellType",
    "class": "Treatment", "well_type": "WellType", "part": "Part", "fold": "Fold",
    "model": "Model", "n_sites": "Sites", "n_vectors": "Vectors",
}  # fmt: skip


def build(step: str = "") -> Exporter:
    """Make the writer `(run, file)`.

    `X` holds the vectors, `var_names` the names of their numbers, `Metadata_Id` the ids of wells;
    `obs_names` are row numbers, since pycytominer reads no others.

    Args:
        step: The profile step; empty for the last one of the run's recipe.
    """

    def write(run: RunTables, path: Path) -> None:
        files = {file.stem: file for file in (run.path / "profiles").glob("*.parquet")}
        chosen = step or (next(iter(files)) if len(files) == 1 else _last(run.path))
        if not files:
            raise PreflightError(
                f"{run.path} holds no profiles: its recipe has no step 'profile', or it is "
                "unfinished."
            )
        if chosen not in files:
            raise PreflightError(
                f"{run.path}: which profiles? Name the step: --step {' or '.join(sorted(files))}."
            )
        table = annotated_profiles(files[chosen])
        with writing(path) as partial:
            table.write_h5ad(partial)

    return write


def _last(run: Path) -> str:
    record = RunFolder(run).record
    recipe = (read_json(record).get("recipe") or {}) if record.is_file() else {}
    steps = [step for step in recipe.get("steps") or [] if step.get("kind") == "profile"]
    return str(steps[-1]["name"]) if steps else ""


def annotated_profiles(path: Path) -> "anndata.AnnData":
    """The profiles of a file as the object that is written."""
    import anndata
    import pandas as pd

    frame = read_table(path, PROFILES)
    columns = {}
    for column, word in _NAMES.items():
        values = frame[column]
        if values.dtype == pl.String:
            columns[f"Metadata_{word}"] = pd.Categorical(values.to_list())
        elif values.null_count():
            columns[f"Metadata_{word}"] = pd.array(values.to_list(), dtype="Int32")
        else:
            columns[f"Metadata_{word}"] = values.to_numpy()
    names = list(read_classes(path, PROFILES))
    numbers = pd.Index([str(k) for k in range(len(frame))], dtype=object)
    return anndata.AnnData(
        X=np.asarray(frame["vector"].to_numpy(), np.float32),
        obs=pd.DataFrame(columns, index=numbers),
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
    )
