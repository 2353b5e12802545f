"""AnnData (`.h5ad`): measurements in `X`, probabilities in `obsm`, places as SpatialData has them.

Written through anndata only. Source: the AnnData and SpatialData table conventions of scverse,
Virshup et al., Nat Biotechnol 41, 604 (2023) and Marconato et al., Nat Methods 22, 58 (2025).
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import SEPARATOR
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError
from cellwise.stages.export._features import feature_columns, named_embeddings
from cellwise.stages.export._predictions import PREFIX, class_names, prediction_columns
from cellwise.stages.export._sets import set_columns
from cellwise.stages.export._verdicts import verdict_columns
from cellwise.store.atomic import writing
from cellwise.store.run.embeddings import Embeddings, embedding_names
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_classes, read_table

if TYPE_CHECKING:
    import anndata

_MEASURED = ("Cells_", "Nuclei_", "Cytoplasm_", "Ring_")


def build() -> Callable[[RunFolder, Path], None]:
    """Make the writer `(run, file)`.

    The file holds: `obs_names` `{site_id}_{cell_id}`; `obs` with `Metadata_*`, `region` (the label
    image `<site_id>_cells`), `instance_id` (the value in it), the predictions, `Abstain`, where an
    audit promises something `May_show` and `Surely_shows`, and where people have judged cells
    `Verdict_yes`, `Verdict_no` and `Verdict_unsure`; `X` the plain measurements, NaN
    where null; `obsm["probabilities"]` in the order of `uns["classes"]`; `obsm["spatial"]` as x, y
    in pixels of the site; `obsm["weak_labels"]` as truth per class; `obsm["X_<step>"]` the
    embeddings of each embed step, NaN for cells without. Where their numbers have names they stand
    in `X` too, but for those that the plain measurements hold already.
    """

    def write(run: RunFolder, path: Path) -> None:
        table = annotated(run)
        with writing(path) as partial:
            table.write_h5ad(partial)

    return write


def annotated(run: RunFolder) -> "anndata.AnnData":
    """The cells of a run as the object that the file holds.

    Raises:
        PreflightError: The run has no predictions, or their probabilities are gone.
    """
    columns = prediction_columns(run)
    classes = read_classes(run.predictions, PREDICTIONS) or tuple(class_names(columns))
    frame = read_table(run.predictions, PREDICTIONS)
    chances = _probabilities(run, frame, classes)
    said = [*set_columns(run)(frame), *verdict_columns(run)(frame)]
    table = cells_to_anndata(frame.hstack(said), classes, chances)
    cells = frame.filter(pl.col("unit") == "cell")
    table = _with_features(table, run, cells)
    for name in embedding_names(run):
        table.obsm[f"X_{name}"] = _vectors(Embeddings(run.embeddings(name)), cells)
    return table


def _with_features(
    table: "anndata.AnnData", run: RunFolder, cells: pl.DataFrame
) -> "anndata.AnnData":
    """The table with measured features behind the plain measurements in `X`."""
    import anndata
    import pandas as pd

    found = feature_columns(named_embeddings(run.path), cells, set(table.var_names))
    if not found.columns:
        return table
    names = pd.Index([*table.var_names, *found.columns], dtype=object)
    return anndata.AnnData(
        X=np.concatenate([table.X, _matrix(found, found.columns)], axis=1),
        obs=table.obs,
        var=pd.DataFrame(index=names),
        obsm=dict(table.obsm),
        uns=dict(table.uns),
    )


def _vectors(kept: Embeddings, cells: pl.DataFrame) -> npt.NDArray[np.float32]:
    places = kept.places(cells)
    result = np.full((len(places), kept.length), np.nan, np.float32)
    result[places >= 0] = kept.read(places[places >= 0])
    return result


def _probabilities(
    run: RunFolder, frame: pl.DataFrame, classes: tuple[str, ...]
) -> npt.NDArray[np.float32]:
    """`[row, class]` of all rows of the table; many classes lie in the array beside it."""
    if all(PREFIX + name in frame.columns for name in classes):
        return _matrix(frame, [PREFIX + name for name in classes])
    path = run.predictions.with_suffix(".npy")
    if not path.is_file():
        raise PreflightError(f"{path} is missing: it holds the probabilities. Run again.")
    return np.asarray(np.load(path, allow_pickle=False), np.float32)


def cells_to_anndata(
    frame: pl.DataFrame, classes: tuple[str, ...], chances: npt.NDArray[np.float32]
) -> "anndata.AnnData":
    """The rows that are cells, as AnnData.

    Args:
        frame: Rows of a table with `unit`, `site_id`, `cell_id`, `x`, `y` and `Weak_labels`.
        classes: The class list.
        chances: `[row, class]` of all rows.
    """
    import anndata
    import pandas as pd

    is_cell = (frame["unit"] == "cell").to_numpy()
    cells = frame.filter(pl.Series(is_cell, dtype=pl.Boolean))
    measured = [name for name in cells.columns if name.startswith(_MEASURED)]
    columns = [*measured, *(n for n in cells.columns if n.startswith(PREFIX))]
    names = cells.select(pl.format("{}_{}", "site_id", "cell_id")).to_series().to_list()
    return anndata.AnnData(
        X=_matrix(cells, measured),
        obs=pd.DataFrame(_observations(cells, columns), index=pd.Index(names, dtype=object)),
        var=pd.DataFrame(index=pd.Index(measured, dtype=object)),
        obsm={
            "probabilities": chances[is_cell],
            "spatial": cells.select("x", "y").to_numpy().astype(np.float32),
            "weak_labels": _truth(cells["Weak_labels"], classes),
        },
        uns={
            "classes": np.array(classes, dtype=object),
            "spatialdata_attrs": {
                "region": np.array(
                    sorted(f"{site}_cells" for site in cells["site_id"].unique()), dtype=object
                ),
                "region_key": "region",
                "instance_key": "instance_id",
            },
        },
    )


def _observations(cells: pl.DataFrame, in_matrices: list[str]) -> dict[str, Any]:
    """Columns of `obs`: numbers as numpy arrays, texts as categories."""
    import pandas as pd

    columns: dict[str, Any] = {
        "region": pd.Categorical(f"{site}_cells" for site in cells["site_id"]),
        "instance_id": cells["cell_id"].to_numpy(),
    }
    kept = [name for name in cells.columns if name not in in_matrices]
    # Probabilities stand here too, so that a cell browser can colour by them.
    kept += [name for name in in_matrices if name.startswith(PREFIX)]
    for name in kept:
        # A key with a slash would be a folder inside the file.
        key, number = name.replace("/", "_"), 1
        while key in columns or (key != name and key in kept):
            # Two classes may differ in this sign alone.
            number += 1
            key = f"{name.replace('/', '_')}~{number}"
        columns[key] = _column(cells[name])
    return columns


def _column(values: pl.Series) -> Any:
    import pandas as pd

    kind = values.dtype.base_type()
    if kind == pl.List:
        values = values.cast(pl.List(pl.String)).list.join(SEPARATOR).fill_null("")
        kind = values.dtype.base_type()
    if kind in (pl.String, pl.Null):
        return pd.Categorical(values.cast(pl.String).to_list())
    if values.null_count() and values.dtype.is_integer():
        return pd.array(values.to_list(), dtype="Int32")
    if values.null_count() and kind == pl.Boolean:
        return pd.array(values.to_list(), dtype="boolean")
    return values.to_numpy()


def _matrix(cells: pl.DataFrame, columns: list[str]) -> npt.NDArray[np.float32]:
    result = np.empty((cells.height, len(columns)), np.float32)
    for place, name in enumerate(columns):
        result[:, place] = cells[name].cast(pl.Float32).fill_null(float("nan")).to_numpy()
    return result


def _truth(labels: pl.Series, classes: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    result = np.zeros((len(labels), len(classes)), np.bool_)
    for place, name in enumerate(classes):
        result[:, place] = labels.list.contains(name).fill_null(value=False).to_numpy()
    return result
