"""Profile: one vector for each well, with the batch taken out of it.

Reads `sites.parquet` and embeddings; writes `profiles/<step>.parquet`, a row per well with its
vector. Vectors of different networks cannot be compared: what is taken out is found for each
network by itself, and the column `model` says whose a vector is.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix

from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.plain_words import counted
from cellwise.domain.screens.needs import refused_without, refused_without_controls
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, wells_table
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import EMBEDDINGS, PROFILES
from cellwise.domain.units import EXPERIMENT, PLATE, WELL, places
from cellwise.errors import PreflightError
from cellwise.stages.profile._normalise import Flags, Floats, aligned, centred, spherized
from cellwise.stages.profile.spec import Options
from cellwise.store.run.embeddings import Embeddings, index_path
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table, write_table

_SHOWN = 3


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write the profiles; returns counts.

    Raises:
        PreflightError: No field names its well, or a plate has no controls that are asked for.
    """
    options, run = Options.of(job.options), RunFolder(job.run)
    sites = RunReader(run).sites()
    table = wells_table(sites)
    if table.is_empty():
        raise PreflightError(
            "profile: no field names its well. Give wells in the labels file (column Well)."
        )
    report(0, 2, f"{len(table)} wells")
    rows, vectors, names = _means(run, options.embeddings, sites)
    frame = rows.join(table, on=WELL, how="left", maintain_order="left")
    report(1, 2, "normalise")
    vectors = _normalised(frame, vectors, options)
    frame = frame.with_columns(
        vector=pl.Series(vectors.astype(np.float32), dtype=pl.Array(pl.Float32, vectors.shape[1]))
    )
    write_table(run.profiles(job.name), PROFILES, frame.select([*PROFILES.columns]), classes=names)
    report(2, 2, "done")
    return {"wells": len(frame), "numbers": len(names), "models": frame["model"].n_unique()}


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse a folder that names no wells, or lacks controls that are asked for."""
    options = Options.of(job.options)
    said = refused_without(folder.sites, WELL, step=job.name, cure="or leave the step out.")
    if not said and options.normalise not in ("none", "plate"):
        setting = f"{job.name}.normalise=plate"
        said = refused_without_controls(
            folder.sites, PLATE, step=job.name, cure=f"give --set {setting}.", settings=(setting,)
        )
    return Foresight(said)


def _means(
    run: RunFolder, name: str, sites: pl.DataFrame
) -> tuple[pl.DataFrame, Floats, list[str]]:
    """`well`, `fold`, `model`, `n_vectors` of wells with a vector; the vectors; their names.

    A well whose sites were seen by different networks has the vectors of the first of them only.
    """
    kept = Embeddings(run.embeddings(name))
    index = read_table(index_path(run.embeddings(name)), EMBEDDINGS)
    where = sites.select("site_id").with_columns(places(sites)[WELL])
    index = index.with_row_index("place").join(where, on="site_id", how="left")
    index = index.filter(pl.col(WELL).is_not_null()).sort(WELL, "place")
    model = pl.col("model").fill_null("")
    index = index.filter((model == model.first()).over(WELL))
    # Sites count alike, however many cells they have.
    weight = (
        1 / (pl.len().over("site_id") * pl.col("site_id").n_unique().over(WELL))
    ).to_physical()
    index = index.with_columns(weight=weight)
    rows = index.group_by(WELL, maintain_order=True).agg(
        pl.col("fold").first(), model.first().alias("model"), n_vectors=pl.len().cast(pl.Int32)
    )
    number = index[WELL].rle_id().to_numpy()
    values = kept.read(index["place"].to_numpy()).astype(np.float64)
    shape = (len(rows), len(index))
    place = (number, np.arange(len(index)))
    means = csr_matrix((index["weight"].to_numpy(), place), shape=shape) @ np.nan_to_num(values)
    names = list(kept.columns or ()) or [f"number_{k:04d}" for k in range(means.shape[1])]
    return rows, means, names


def _normalised(frame: pl.DataFrame, vectors: Floats, options: Options) -> Floats:
    found = vectors.copy()
    controls = frame["well_type"].is_in([POSITIVE, NEGATIVE]).fill_null(value=False).to_numpy()
    if options.normalise not in ("none", "plate"):
        _check_controls(frame, controls)
    for model in frame["model"].unique():
        here = (frame["model"] == model).to_numpy()
        found[here] = _of_model(
            frame.filter(pl.Series(here)), vectors[here], controls[here], options
        )
    return found


def _check_controls(frame: pl.DataFrame, controls: Flags) -> None:
    held = set(frame.filter(pl.Series(controls))[PLATE])
    without = sorted(str(name) for name in set(frame[PLATE]) - held)
    if without:
        some = ", ".join(without[:_SHOWN]) + ", ..." * (len(without) > _SHOWN)
        raise PreflightError(
            f"profile: {counted(len(without), 'plates')} without a well that is known to be a "
            f"control ({some}). Name controls in a column WellType, or give "
            "--set profile.normalise=plate."
        )


def _of_model(frame: pl.DataFrame, vectors: Floats, controls: Flags, options: Options) -> Floats:
    if options.normalise == "none":
        return vectors
    plate = _numbered(frame[PLATE])
    if options.normalise == "plate":
        return centred(vectors, plate, np.ones(len(frame), np.bool_))
    found = centred(vectors, plate, controls)
    if options.normalise == "spherize":
        return spherized(found, controls, regularise=options.regularise)
    if options.normalise == "typical_variation":
        batch = _numbered(frame[EXPERIMENT])
        return aligned(found, batch, controls, regularise=options.regularise)
    return found


def _numbered(names: pl.Series) -> npt.NDArray[np.int64]:
    return np.unique(names.fill_null("").to_numpy(), return_inverse=True)[1].reshape(-1)
