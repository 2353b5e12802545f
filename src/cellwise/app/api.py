"""The Python API: run, predict, check, and a finished run as an object."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cellwise.app.inputs.given import Teller, given_inputs
from cellwise.app.predictor import Predictor as Predictor
from cellwise.contracts.exporter import Exported, FolderExporter
from cellwise.domain.tables import CELLS, PREDICTIONS, WELLS
from cellwise.errors import PreflightError, UnknownName, UsageError
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request
from cellwise.lab.simulate.api import simulate as simulate
from cellwise.registry import did_you_mean
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import find_images
from cellwise.store.run.tables import empty_frame, read_table

if TYPE_CHECKING:
    import anndata
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder; tables are read when they are asked for."""

    path: Path

    @property
    def cells(self) -> pl.DataFrame:
        """One row per cell: predictions where the run has them, else measurements."""
        folder = RunFolder(self.path)
        if folder.predictions.is_file():
            return read_table(folder.predictions, PREDICTIONS)
        return read_table(folder.cells, CELLS).drop("shard", "row", strict=False)

    @property
    def wells(self) -> pl.DataFrame:
        """One row per well; empty where the run knows no wells."""
        folder = RunFolder(self.path)
        if not folder.wells.is_file():
            return empty_frame(WELLS)
        return read_table(folder.wells, WELLS)

    @property
    def metrics(self) -> dict[str, Any]:
        """Name to `value`, `low`, `high`, `n`, `unit`; empty for a run without labels."""
        folder = RunFolder(self.path)
        found = read_json(folder.metrics)["metrics"] if folder.metrics.is_file() else {}
        return dict(found)

    def to_anndata(self) -> "anndata.AnnData":
        """The cells as AnnData: measurements in `X`, probabilities in `obsm`.

        Raises:
            PreflightError: The run holds no predictions.
        """
        from cellwise.stages.export.anndata import annotated

        return annotated(RunFolder(self.path))

    def export(
        self,
        to: str,
        out: Path | str,
        *,
        features: bool = False,
        step: str = "",
        tell: Callable[[int, int, str], None] | None = None,
    ) -> Exported | None:
        """Write the run in another program's format.

        Args:
            to: `cells-csv`, `anndata`, `variability-csv`, `hpa-csv`, or of wells `rxrx1-csv` or
                `profiles`: a file. `geojson`, `label-tiff`, `ome-zarr`, `spatialdata`, `fiftyone`,
                `cellprofiler-csv`: a folder.
            out: The file or folder to write; the same export in its place is replaced.
            features: With `cells-csv`, measured features as further columns; `anndata` always holds
                them.
            step: With `profiles`, the profile step; empty for the last one of the recipe.
            tell: Told of progress as `(fields done, fields in all, note)`, where a folder is
                written.

        Returns:
            Of a folder, what is in it and what is not.

        Raises:
            UnknownName: No such format.
            UsageError: An option that does not go with it, or something else lies at `out`.
            PreflightError: The run holds nothing to export, no features, or no images any more
                where these are exported too.
        """
        from cellwise.stages.export import exporters

        known = [name.replace("_", "-") for name in exporters.part_names()]
        if to not in known:
            raise UnknownName(
                f"No export is called {to!r}.{did_you_mean(to, known)} "
                f"There is: {', '.join(known)}."
            )
        wanted: dict[str, Any] = {"features": True} if features and to == "cells-csv" else {}
        if step and to != "profiles":
            raise UsageError(f"--step goes with profiles, not with {to}.")
        wanted |= {"step": step} if step else {}
        if features and to not in ("cells-csv", "anndata"):
            raise UsageError(f"--features goes with cells-csv and anndata, not with {to}.")
        writer = exporters.build({"name": to.replace("-", "_"), **wanted})
        if isinstance(writer, FolderExporter):
            return writer(RunFolder(self.path), Path(out), tell)
        if Path(out).is_dir():
            raise UsageError(f"--out {out} is a folder; name the file to write.")
        of_wells = to in ("rxrx1-csv", "profiles")
        if not of_wells and not RunFolder(self.path).predictions.is_file():
            raise PreflightError(
                f"{self.path} holds no predictions: its recipe learns nothing, or it is unfinished."
            )
        writer(RunFolder(self.path), Path(out))
        return None

    def rebuild_report(self) -> Path:
        """Build `report.html` anew from the tables of the run and return its path."""
        from cellwise.domain.steps import Job
        from cellwise.stages.report.step import work

        folder = RunFolder(self.path)
        record = read_json(folder.record)
        steps = [step for step in record["recipe"]["steps"] if step["kind"] == "report"]
        work(
            Job(
                run=self.path,
                images=find_images(folder),
                name="report",
                options=steps[0]["options"] if steps else {},
                key="",
                seed=int(record["seed"]),
            ),
            _quiet,
        )
        return folder.report


def open_run(path: Path | str) -> Run:
    """A finished or running run folder.

    Raises:
        PreflightError: The folder is no run folder.
    """
    if not RunFolder(Path(path)).record.is_file():
        raise PreflightError(f"{path} is not a run folder: it holds no run.json.")
    return Run(Path(path))


def run(
    folder: Path | str,
    *,
    labels: Path | str | None = None,
    out: Path | str | None = None,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    masks: Path | str | None = None,
    seed: int | None = None,
    device: str = "auto",
    devices: int = 1,
    workers: int = 1,
    engine: str | dict[str, Any] = "local",
    cache: Path | str | None = None,
) -> Run:
    """All steps of a recipe on a folder; the same call resumes.

    Args:
        folder: Folder of images, zip file, or address of an object store such as
            `s3://bucket/plate1`, which is copied first.
        labels: CSV with one row per field or well; a path or an address.
        out: Run folder; where not given `<folder>.run` beside the images, and here where they come
            from an address.
        recipe: Name or YAML file; chosen from the folder where not given.
        settings: Texts such as `train.epochs=3`.
        masks: Folder of label images to use instead of segmenting, zip file, or address.
        seed: Root of all randomness; 0, or that of the run before, where not given.
        device: `auto`, `cpu` or `cuda`.
        devices: Devices that share a training.
        engine: What per-site steps are worked on by, a part of `cellwise.flow.engines`: its name,
            or a mapping such as `{"name": "dask", "scheduler": "tls://node1:8786"}`.
        workers: Processes. More than one starts new interpreters, so the calling script then needs
            the usual `if __name__ == "__main__":`.
        cache: Folder for copies of what comes from an address or zip file; that of the environment
            variable `CELLWISE_CACHE`, else the user's own, where not given.

    Raises:
        CellwiseError: See `cellwise.errors`; quarantined inputs are no error.
    """
    with given_inputs(folder, labels=labels, masks=masks, cache=cache, teller=_SILENT) as given:
        request = make_request(
            given.folder,
            Path(out) if out is not None else given.beside / f"{given.name}.run",
            labels=given.labels,
            recipe=recipe,
            settings=settings,
            masks=given.masks,
            seed=seed,
            device=device,
            workers=workers,
            devices=devices,
            engine=engine,
            command=("cellwise.run", str(folder)),
        )
        return Run(run_pipeline(request).run)


def predict(
    array: "npt.ArrayLike",
    channels: Sequence[str],
    *,
    model: Path | str,
    device: str = "auto",
    pixel_size: float | None = None,
) -> pl.DataFrame:
    """Per-cell probabilities for one field held in memory; nothing is written.

    For many fields make a `Predictor` once: it keeps the models.

    Args:
        array: Pixels `[channel, y, x]`: numbers as the images of the run hold them, of their type
            (uint8, uint16, float); or float 0..1, as the models see them.
        channels: A role (`nucleus`, `protein`...) or the run's own channel name per plane.
        model: A finished run folder.
        device: `auto`, `cpu` or `cuda`.
        pixel_size: Micrometres of a pixel; that of the run's fields where not said.

    Returns:
        One row per cell, columns as in `predictions.parquet`.

    Raises:
        UsageError: The channels do not fit the array, or the pixels do not fit the intensity scale
            that the models have learned.
        PreflightError: The run has no model, or asks for other channels.
    """
    return Predictor(model, device=device)(array, channels, pixel_size=pixel_size)


def check(
    folder: Path | str, *, labels: Path | str | None = None, cache: Path | str | None = None
) -> dict[str, Any]:
    """What is understood of a folder, what is wrong with it, and what a run would cost.

    `folder`, `labels` and `cache` are those of `run`.

    Raises:
        PreflightError: The folder holds nothing that can be used.
    """
    from cellwise.app.check import check_path

    with given_inputs(folder, labels=labels, cache=cache, teller=_SILENT) as given:
        return check_path(given.folder, labels=given.labels)


def _quiet(done: int, total: int, note: str) -> None:
    return None


_SILENT = Teller(lambda text: None, _quiet)
