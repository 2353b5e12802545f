"""The exports that the page offers: what each is for, and which fit a run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellwise.app.view.data.opened import has_no_cells
from cellwise.errors import PreflightError
from cellwise.stages.export.hpa_csv import class_numbers
from cellwise.store.run.folder import RunFolder

_PREFIX = "Prob_"


def _named(run: RunFolder) -> list[str]:
    """The classes that have a column of probabilities."""
    columns = pl.read_parquet_schema(run.predictions)
    return [name.removeprefix(_PREFIX) for name in columns if name.startswith(_PREFIX)]


def _cells(run: RunFolder) -> str:
    return "" if run.cells.is_file() and not has_no_cells(run.path) else "This run has no cells."


def _classes(run: RunFolder) -> str:
    if not run.predictions.is_file():
        return "This run has no predictions of cells."
    return "" if _named(run) else "The predictions name no classes."


def _predictions(run: RunFolder) -> str:
    return "" if run.predictions.is_file() else "This run has no predictions of cells."


def _hpa(run: RunFolder) -> str:
    if missing := _classes(run):
        return missing
    try:
        class_numbers(_named(run))
    except PreflightError:
        return "The classes are not those of this challenge."
    return ""


def _treatments(run: RunFolder) -> str:
    return "" if run.treatments().is_file() else "This run gives wells no treatments."


def _profiles(run: RunFolder) -> str:
    has = any((run.path / "profiles").glob("*.parquet"))
    return "" if has else "This run has no profiles of wells."


@dataclass(frozen=True, slots=True)
class Form:
    """One export.

    Args:
        name: As `cellwise export --to` calls it.
        place: Its file or folder in `RUN/exports`.
        opens: The programs that open it.
        holds: What is in it, in one line.
        missing: Why a run has nothing for it; empty where it has.
        is_folder: Whether it is a folder.
    """

    name: str
    place: str
    opens: str
    holds: str
    missing: Callable[[RunFolder], str]
    is_folder: bool = True


FORMS = (
    Form(
        "cells-csv", "cells.csv", "Excel, R, any program for tables",
        "One row for each cell: place, measurements, probabilities, labels.", _predictions,
        is_folder=False,
    ),
    Form(
        "anndata", "cells.h5ad", "Python: scanpy, anndata",
        "The cells with measurements, probabilities, places and embeddings.", _predictions,
        is_folder=False,
    ),
    Form(
        "geojson", "geojson", "QuPath",
        "Outlines of cells and nuclei with classes and probabilities, a file for each field.",
        _cells,
    ),
    Form(
        "label-tiff", "label-tiff", "napari, Fiji",
        "Label images of cells, nuclei and classes, and a table that describes them.", _cells,
    ),
    Form(
        "ome-zarr", "ome-zarr", "napari with napari-ome-zarr",
        "The images at several sizes, with cells and nuclei as labels.", _cells,
    ),
    Form(
        "spatialdata", "spatialdata.zarr", "Python: spatialdata, squidpy, napari-spatialdata",
        "Images, label images and the table of cells in one store.", _cells,
    ),
    Form(
        "fiftyone", "fiftyone", "FiftyOne",
        "A composite image of each field, with cells and nuclei as detections.", _cells,
    ),
    Form(
        "cellprofiler-csv", "cellprofiler-csv", "CellProfiler Analyst, pycytominer",
        "Image.csv, Cells.csv and Nuclei.csv.", _cells,
    ),
    Form(
        "variability-csv", "variability.csv", "Excel, R, any program for tables",
        "Of each field, well and sample the share of cells in each class, and how cells differ.",
        _classes, is_folder=False,
    ),
    Form(
        "hpa-csv", "hpa.csv", "The HPA challenge of 2021",
        "A submission: every cell with every class, and its outline.", _hpa, is_folder=False,
    ),
    Form(
        "profiles", "profiles.h5ad", "Python: pycytominer, copairs, scanpy",
        "One vector for each well, with its place and treatment.", _profiles, is_folder=False,
    ),
    Form(
        "rxrx1-csv", "rxrx1.csv", "The RxRx1 challenge of 2019",
        "A submission: the treatment of each test well.", _treatments, is_folder=False,
    ),
)  # fmt: skip
"""All of them, the commonest first."""
BY_NAME = {form.name: form for form in FORMS}


def place_of(run: Path, form: Form) -> Path:
    """Where an export of a run is kept."""
    return run / "exports" / form.place
